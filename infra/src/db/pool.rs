//! The pool of connections behind every handle of the database.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::store_failure;
use glasshouse_telemetry::metrics::{BusinessMetrics, DatabaseMetrics};

/// The connections of this process, and what every transaction on them needs.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(super) connection: DatabaseConnection,
    /// SQLite has one writer at a time: writers queue here, in order, instead of racing for its lock.
    pub(super) sqlite_writer: Option<Arc<Semaphore>>,
    /// How long an open payment belongs to its request before the reconciler may lease it.
    pub(super) reconcile_after: Duration,
    /// The timeout for acquiring a connection and getting its first answer.
    pub(super) timeout: Duration,
    pub(super) metrics: DatabaseMetrics,
    pub(super) business: BusinessMetrics,
    pub(super) injected_delay: InjectedDelay,
}

impl Pool {
    /// Whether this is SQLite, and not Postgres.
    pub(super) fn is_sqlite(&self) -> bool {
        self.connection.get_database_backend() == DbBackend::Sqlite
    }

    /// A client span, in OpenTelemetry's terms for databases. It has no values, only the operation's name.
    pub(super) fn operation_span(&self, operation: &'static str) -> tracing::Span {
        let system = if self.is_sqlite() { "sqlite" } else { "postgresql" };
        tracing::info_span!(
            "database",
            otel.name = operation,
            otel.kind = "client",
            db.system.name = system,
            db.operation.name = operation,
            otel.status_code = tracing::field::Empty,
        )
    }

    /// Fails when the database does not answer within the timeout. The statement timeout of the
    /// server does not help when the connection is lost silently: the request would hang until its client leaves.
    pub(super) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreFailure>>,
    ) -> Result<T, StoreFailure> {
        let silent = |elapsed: tokio::time::error::Elapsed| StoreFailure::Unavailable(elapsed.into());
        tokio::time::timeout(self.timeout, answer).await.map_err(silent)?
    }

    /// Waits for SQLite's one writer; returns at once on Postgres, which has any number of them.
    pub(super) async fn writers_turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so there is always a permit.
        self.sqlite_writer.clone()?.acquire_owned().await.ok()
    }

    /// Runs a query in the scope of no tenant. On Postgres it sees what a function of the owner returns, and no
    /// row of a table.
    pub(super) async fn query<const N: usize>(
        &self,
        sql: DialectSql,
        values: [Value; N],
    ) -> Result<Vec<QueryResult>, StoreFailure> {
        self.connection.query_all_raw(self.statement(sql, values)).await.map_err(store_failure)
    }

    /// Runs a statement without an answer in the scope of no tenant.
    pub(super) async fn execute<const N: usize>(
        &self,
        sql: DialectSql,
        values: [Value; N],
    ) -> Result<(), StoreFailure> {
        self.connection.execute_raw(self.statement(sql, values)).await.map_err(store_failure)?;
        Ok(())
    }

    fn statement<const N: usize>(&self, sql: DialectSql, values: [Value; N]) -> Statement {
        let backend = self.connection.get_database_backend();
        let sql = if self.is_sqlite() { sql.sqlite } else { sql.postgres };
        Statement::from_sql_and_values(backend, sql, values)
    }
}

/// One question in the SQL of both databases.
#[derive(Clone, Copy)]
pub(super) struct DialectSql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// Called when a transaction begins: the duration of an additional first statement. A hook, so that this module
/// does not depend on the injection of faults.
#[derive(Clone, Default)]
pub(super) struct InjectedDelay(pub(super) Option<Arc<dyn Fn() -> Option<Duration> + Send + Sync>>);

impl InjectedDelay {
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.as_ref().and_then(|delay| delay())
    }
}

impl fmt::Debug for InjectedDelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "InjectedDelay(on)" } else { "InjectedDelay(off)" })
    }
}
