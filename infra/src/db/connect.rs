//! Opens the pool, and rejects a database that is not migrated or does not isolate tenants.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sea_orm::sqlx::{Connection, PgConnection};
use sea_orm::{ConnectOptions, ConnectionTrait, DbBackend, DbErr, SqlxError, Statement};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::pool::{InjectedDelay, Pool};
use super::{Database, statements};
use glasshouse_telemetry::service::metrics::Metrics;

/// The address, pool size and timeouts of the database.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// `postgres://…`, or `sqlite://…` with a file.
    pub url: SecretString,
    /// The maximum number of connections of this process.
    pub pool_size: u32,
    /// The timeout of acquiring a connection.
    pub acquire_timeout: Duration,
    /// The timeout of a statement. Postgres only.
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
}

const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout of the check of a released connection.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Checks that a released connection still responds. sqlx does so too, but without a timeout: a connection that was
/// dropped silently (by a firewall, or a machine that lost power) would occupy its place in the pool until the kernel
/// gives up on it, about 15 minutes later.
async fn check_released(connection: &mut PgConnection) -> Result<bool, SqlxError> {
    match tokio::time::timeout(RELEASE_TIMEOUT, connection.ping()).await {
        Ok(response) => response.map(|()| true),
        Err(_elapsed) => Err(SqlxError::Io(io::ErrorKind::TimedOut.into())),
    }
}

impl Database {
    /// Opens a pool, and checks that one connection works.
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
                pool.after_release(|connection, _| Box::pin(check_released(connection)))
            })
            .map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .create_if_missing(true)
                    .foreign_keys(true)
                    // Readers and the one writer do not block each other. A commit survives a crash of the process,
                    // but may be lost in a crash of the machine.
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "NORMAL")
                    .busy_timeout(SQLITE_BUSY_TIMEOUT)
            });
        let mut connection = sea_orm::Database::connect(options).await?;
        statements::observe(&mut connection, settings.slow_query, metrics.database.clone());
        let is_sqlite = connection.get_database_backend() == DbBackend::Sqlite;
        let sqlite_writer = is_sqlite.then(|| Arc::new(Semaphore::new(1)));
        let pool = Pool {
            connection,
            sqlite_writer,
            reconcile_after: settings.reconcile_after,
            is_reachable: Arc::new(AtomicBool::new(true)),
            metrics: metrics.database.clone(),
            business: metrics.business.clone(),
            injected_delay: InjectedDelay::default(),
            timeout: settings.acquire_timeout + settings.statement_timeout,
        };
        Ok(Self { pool: Arc::new(pool) })
    }

    /// Checks that row-level security applies to the role of this pool, and that the schema exists.
    ///
    /// # Errors
    /// [`ConnectError::ExemptRole`] or [`ConnectError::NotMigrated`] when one of them is not the case, and
    /// [`ConnectError::Unreachable`] when the database fails.
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
        Ok(())
    }
}
