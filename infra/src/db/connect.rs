//! Opens the pool, and rejects a database that is not migrated or does not isolate tenants.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlxPostgresConnector,
    SqlxSqliteConnector, Statement,
};
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Semaphore;

use super::address::{DatabaseAddress, DriverOptions};
use super::limits::Limits;
use super::pool::{InjectedDelay, Pool};
use super::queue_delay::QueueDelay;
use super::suspicion::{Suspicion, responds};
use super::writable_file::WritableFile;
use super::{Database, sqlite_file, statements};
use glasshouse_telemetry::service::metrics::Metrics;

/// The address, pool size and timeouts of the database.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// The address.
    pub address: DatabaseAddress,
    /// The maximum number of connections of this process.
    pub pool_size: u32,
    /// The timeout of acquiring a connection.
    pub acquire_timeout: Duration,
    /// The timeout of a statement, which Postgres enforces. Without an answer, from SQLite too, the wait ends a second later.
    pub statement_timeout: Duration,
    /// The duration above which a statement is logged as `slow_query`.
    pub slow_query: Duration,
    /// How long an open payment belongs to its request before the reconciler may lease it.
    pub reconcile_after: Duration,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It does not respond, or rejects the login.
    #[error("cannot reach the database: {0}")]
    Unreachable(#[from] DbErr),
    /// The file of a SQLite database cannot be created, or protected from other users.
    #[error("cannot create the database file, readable for its owner alone: {0}")]
    File(#[from] io::Error),
    /// The role is exempt from row-level security, so tenants would not be isolated.
    #[error(
        "the database role {role:?} is exempt from row-level security because it {reason}; set DATABASE_URL to \
         a login role that is a plain member of glasshouse_service, and keep the owner for DATABASE_MIGRATION_URL"
    )]
    ExemptRole {
        /// The login role of the connection.
        role: String,
        /// Why it is exempt.
        reason: &'static str,
    },
    /// The tables do not exist, or the role has no privileges on them.
    #[error("the database has no schema that this role may use: run `glasshouse migrate` first")]
    NotMigrated,
    /// The schema is that of a version which is too old.
    #[error("the schema of the database lacks the migration {migration}: run `glasshouse migrate` first")]
    Outdated {
        /// The missing migration.
        migration: &'static str,
    },
}

const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout of the check of a released connection, on which a statement may still run whose request was cancelled.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

impl Database {
    /// Opens a pool, and checks that one connection works.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn connect(settings: &DatabaseSettings, metrics: &Metrics) -> Result<Self, ConnectError> {
        let suspicion = Suspicion::default();
        let (mut connection, file) = match settings.address.options.clone() {
            DriverOptions::Postgres(options) => {
                (postgres(*options, settings, suspicion.clone()).await?, None)
            }
            DriverOptions::Sqlite(options) => {
                let path = options.get_filename().to_owned();
                sqlite_file::protect(&path)?;
                let connection = sqlite(*options, settings, suspicion.clone()).await?;
                let file = WritableFile::new(&path, connection.get_sqlite_connection_pool().clone());
                (connection, Some(file))
            }
        };
        statements::observe(&mut connection, settings.slow_query, metrics.database.clone());
        let is_sqlite = connection.get_database_backend() == DbBackend::Sqlite;
        let sqlite_writer = is_sqlite.then(|| Arc::new(Semaphore::new(1)));
        let pool = Pool {
            connection,
            suspicion,
            file,
            limits: Limits { statement: settings.statement_timeout },
            sqlite_writer,
            queue_delay: QueueDelay::default(),
            reconcile_after: settings.reconcile_after,
            is_reachable: Arc::new(AtomicBool::new(true)),
            metrics: metrics.database.clone(),
            business: metrics.business.clone(),
            injected_delay: InjectedDelay::default(),
            timeout: settings.acquire_timeout + settings.statement_timeout,
        };
        Ok(Self { pool: Arc::new(pool) })
    }

    /// Checks that row-level security applies to the role of this pool, and that the schema includes a migration.
    ///
    /// # Errors
    /// [`ConnectError::ExemptRole`], [`ConnectError::NotMigrated`] or [`ConnectError::Outdated`] when one of them is not the
    /// case, and [`ConnectError::Unreachable`] when the database fails.
    pub async fn check_schema(&self, migration: &'static str) -> Result<(), ConnectError> {
        if self.pool.is_sqlite() {
            return Ok(());
        }
        let sql = "SELECT current_user::text AS role, \
                   (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS bypasses, \
                   coalesce((SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class \
                             WHERE oid = to_regclass('users')), false) AS owns, \
                   coalesce(has_table_privilege(to_regclass('outbox_messages'), 'INSERT'), false) AS migrated";
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let query = self.pool.connection.query_one_raw(statement);
        let row = self.pool.limits.within_deadline(query).await?.ok_or(ConnectError::NotMigrated)?;
        let role: String = row.try_get("", "role")?;
        let exempt = |reason| Err(ConnectError::ExemptRole { role, reason });
        if row.try_get("", "bypasses")? {
            return exempt("is a superuser or has BYPASSRLS");
        }
        if row.try_get("", "owns")? {
            return exempt("owns the tables");
        }
        if !row.try_get::<bool>("", "migrated")? {
            return Err(ConnectError::NotMigrated);
        }
        let required = "SELECT 1 FROM seaql_migrations WHERE version = $1";
        let required = Statement::from_sql_and_values(DbBackend::Postgres, required, [migration.into()]);
        let query = self.pool.connection.query_one_raw(required);
        self.pool.limits.within_deadline(query).await?.ok_or(ConnectError::Outdated { migration })?;
        Ok(())
    }
}

fn pool_options<DB: sqlx::Database>(settings: &DatabaseSettings, suspicion: Suspicion) -> PoolOptions<DB> {
    // A connection that does not respond is replaced within the same wait.
    let check_timeout = settings.acquire_timeout / 4;
    let released = suspicion.clone();
    PoolOptions::new()
        .max_connections(settings.pool_size)
        .acquire_timeout(settings.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(move |connection, open| {
            let (is_outdated, is_suspect) = (suspicion.outdates(open.age), suspicion.covers(open.idle_for));
            Box::pin(async move {
                Ok(!is_outdated && (!is_suspect || responds(connection, check_timeout).await?))
            })
        })
        // sqlx checks a released connection too, but without a timeout: a connection that was dropped silently (by a
        // firewall, or a machine that lost power) would occupy its place in the pool until the kernel gives up on it,
        // about 15 minutes later.
        .after_release(move |connection: &mut DB::Connection, open| {
            let is_outdated = released.outdates(open.age);
            let timeout = if released.is_recent() { check_timeout } else { RELEASE_TIMEOUT };
            Box::pin(async move {
                let is_usable = !is_outdated && responds(connection, timeout).await?;
                // SQLite rolls a transaction back by itself when the disk is full or fails. The ROLLBACK of the driver
                // then fails, and for the driver that transaction stays open: it would begin the next ones as savepoints
                // inside another transaction, and their commits would not be durable.
                Ok(is_usable && !connection.is_in_transaction())
            })
        })
}

/// Connects to Postgres, or to a pooler in front of it. The only parameters of the session are those that every pooler
/// keeps track of; the limits of statements are set in each transaction.
async fn postgres(
    options: PgConnectOptions,
    settings: &DatabaseSettings,
    suspicion: Suspicion,
) -> Result<DatabaseConnection, DbErr> {
    let pool = pool_options(settings, suspicion)
        .connect_with(options.disable_statement_logging())
        .await
        .map_err(connect_error)?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

async fn sqlite(
    options: SqliteConnectOptions,
    settings: &DatabaseSettings,
    suspicion: Suspicion,
) -> Result<DatabaseConnection, DbErr> {
    let options = options
        .disable_statement_logging()
        .create_if_missing(true)
        .foreign_keys(true)
        // Readers and the one writer do not block each other.
        .journal_mode(SqliteJournalMode::Wal)
        // Every commit is on the disk before it is acknowledged. NORMAL would be faster, but in this journal mode it loses
        // the last commits when the machine crashes or loses power.
        .synchronous(SqliteSynchronous::Full)
        // On macOS, a sync without this one leaves the data in the cache of the drive.
        .pragma("fullfsync", "ON")
        .busy_timeout(SQLITE_BUSY_TIMEOUT);
    let pool = pool_options(settings, suspicion).connect_with(options).await.map_err(connect_error)?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

fn connect_error(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}
