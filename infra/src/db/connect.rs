//! Opens the pool, and rejects a database that is not migrated or does not isolate tenants.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sea_orm::{DbBackend, DbErr, Statement};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::Semaphore;

use super::address::{DatabaseAddress, DriverOptions};
use super::connections::{Connections, PoolSettings};
use super::limits::Limits;
use super::pool::{InjectedDelay, Pool};
use super::queue_delay::QueueDelay;
use super::statements::Observer;
use super::suspicion::Suspicion;
use super::writable_file::WritableFile;
use super::{Database, sqlite_file};
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

impl Database {
    /// Opens a pool, and checks that one connection works.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn connect(settings: &DatabaseSettings, metrics: &Metrics) -> Result<Self, ConnectError> {
        let suspicion = Suspicion::default();
        let limits = Limits { statement: settings.statement_timeout };
        let (options, path) = match settings.address.options.clone() {
            DriverOptions::Postgres(options) => {
                (DriverOptions::Postgres(Box::new(options.disable_statement_logging())), None)
            }
            DriverOptions::Sqlite(options) => {
                let path = options.get_filename().to_owned();
                sqlite_file::protect(&path)?;
                (DriverOptions::Sqlite(Box::new(sqlite(*options))), Some(path))
            }
        };
        let observer = Observer { slow: settings.slow_query, metrics: metrics.database.clone() };
        let size = PoolSettings::new(settings.pool_size, settings.acquire_timeout);
        let connections = Connections::open(options, size, limits, suspicion.clone(), observer).await?;
        let file = path.map(|path| WritableFile::new(&path, connections.clone()));
        let is_sqlite = connections.backend() == DbBackend::Sqlite;
        let sqlite_writer = is_sqlite.then(|| Arc::new(Semaphore::new(1)));
        let pool = Pool {
            connections,
            suspicion,
            file,
            limits,
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
        let rows = self.pool.without_transaction(statement).await?;
        let row = rows.first().ok_or(ConnectError::NotMigrated)?;
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
        let is_applied = !self.pool.without_transaction(required).await?.is_empty();
        if is_applied { Ok(()) } else { Err(ConnectError::Outdated { migration }) }
    }
}

/// The options of a SQLite connection.
fn sqlite(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
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
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
}
