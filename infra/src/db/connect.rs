//! Opens the pool, and refuses a database on which the promises of this service would not hold.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::{Connection, PgConnection};
use sea_orm::{ConnectOptions, ConnectionTrait, DbBackend, DbErr, SqlxError, Statement};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::pool::{InjectedDelay, Pool};
use super::{Database, statements};
use glasshouse_telemetry::metrics::Metrics;

/// How to reach the database, and how patient to be with it.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// `postgres://…`, or `sqlite://…` with a file.
    pub url: SecretString,
    /// The most connections of this process.
    pub pool_size: u32,
    /// How long a request waits for a connection before it is refused.
    pub acquire_timeout: Duration,
    /// How long one statement may run. Postgres only.
    pub statement_timeout: Duration,
    /// A statement that takes longer is logged as `slow_query`.
    pub slow_query: Duration,
    /// How long an open payment belongs to the request that opened it, before the reconciler may take it.
    pub reconcile_after: Duration,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It does not answer, or refuses the login.
    #[error("cannot reach the database: {0}")]
    Unreachable(#[from] DbErr),
    /// The role is exempt from row-level security, so tenants would not be apart.
    #[error(
        "the database role {role:?} is exempt from row-level security because it {reason}; set DATABASE_URL to \
         a login role that is a plain member of glasshouse_service, and keep the owner for DATABASE_MIGRATION_URL"
    )]
    RoleNotBound {
        /// The role that was tried.
        role: String,
        /// Why it is exempt.
        reason: &'static str,
    },
    /// There are no tables, or the role may not use them.
    #[error("the database has no schema that this role may use: run `glasshouse migrate` first")]
    NotMigrated,
}

const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection that is given back may take to answer.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Fails if a connection that is given back does not answer any more. sqlx asks it too, and waits for ever: a
/// connection that was lost without a word (a firewall forgot it, a machine is gone) would keep its place in
/// the pool until the kernel gives up on it, a quarter of an hour later.
async fn must_answer(connection: &mut PgConnection) -> Result<bool, SqlxError> {
    match tokio::time::timeout(RELEASE_TIMEOUT, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_elapsed) => Err(SqlxError::Io(io::ErrorKind::TimedOut.into())),
    }
}

impl Database {
    /// Opens a pool and makes sure that one connection works.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn connect(settings: &DatabaseSettings, metrics: &Metrics) -> Result<Self, ConnectError> {
        let mut options = ConnectOptions::new(settings.url.expose_secret());
        options
            .max_connections(settings.pool_size)
            .acquire_timeout(settings.acquire_timeout)
            .connect_timeout(settings.acquire_timeout)
            .statement_timeout(settings.statement_timeout)
            .test_before_acquire(false)
            .test_before_acquire_if_idle_for(Duration::from_secs(10))
            .sqlx_logging(false)
            .map_sqlx_postgres_pool_opts(|pool| {
                pool.after_release(|connection, _| Box::pin(must_answer(connection)))
            })
            .map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .create_if_missing(true)
                    .foreign_keys(true)
                    // Readers and the one writer do not block each other; a commit survives a crash of the
                    // process, though perhaps not of the machine.
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "NORMAL")
                    .busy_timeout(SQLITE_BUSY_TIMEOUT)
            });
        let mut connection = sea_orm::Database::connect(options).await?;
        statements::watch(&mut connection, settings.slow_query, metrics.database.clone());
        let is_sqlite = connection.get_database_backend() == DbBackend::Sqlite;
        let sqlite_writer = is_sqlite.then(|| Arc::new(Semaphore::new(1)));
        let pool = Pool {
            connection,
            sqlite_writer,
            reconcile_after: settings.reconcile_after,
            metrics: metrics.database.clone(),
            business: metrics.business.clone(),
            injected_delay: InjectedDelay::default(),
            timeout: settings.acquire_timeout + settings.statement_timeout,
        };
        Ok(Self { pool: Arc::new(pool) })
    }

    /// Makes sure that the role of this pool is bound by row-level security, and that the schema is there.
    ///
    /// # Errors
    /// When it is not.
    pub async fn check_isolation(&self) -> Result<(), ConnectError> {
        if self.pool.is_sqlite() {
            return Ok(());
        }
        let sql = "SELECT current_user::text AS role, \
                   (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS bypasses, \
                   coalesce((SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class \
                             WHERE oid = to_regclass('users')), false) AS owns, \
                   coalesce(has_table_privilege(to_regclass('outbox_messages'), 'INSERT'), false) AS migrated";
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = self.pool.connection.query_one_raw(statement).await?.ok_or(ConnectError::NotMigrated)?;
        let role: String = row.try_get("", "role")?;
        let not_bound = |reason| Err(ConnectError::RoleNotBound { role, reason });
        if row.try_get("", "bypasses")? {
            return not_bound("is a superuser or has BYPASSRLS");
        }
        if row.try_get("", "owns")? {
            return not_bound("owns the tables");
        }
        if !row.try_get::<bool>("", "migrated")? {
            return Err(ConnectError::NotMigrated);
        }
        Ok(())
    }
}
