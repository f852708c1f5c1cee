//! The connection pool behind all handles of the database.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, TryGetable, Value};
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connections::Connections;
use super::failure::store_failure;
use super::limits::Limits;
use super::pooled_connection::PooledConnection;
use super::queue_delay::QueueDelay;
use super::suspicion::Suspicion;
use super::transaction::Binding;
use super::writable_file::WritableFile;
use crate::clock;
use glasshouse_telemetry::service::metrics::{BusinessMetrics, DatabaseMetrics};

/// The connections of this process, and the settings and metrics of their transactions.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(super) connections: Connections,
    pub(super) suspicion: Suspicion,
    /// The file of the database. SQLite only.
    pub(super) file: Option<WritableFile>,
    /// The limits of transactions. Postgres only.
    pub(super) limits: Limits,
    /// Serializes writers on SQLite, which allows one at a time: they queue here instead of polling its lock.
    pub(super) sqlite_writer: Option<Arc<Semaphore>>,
    /// How long transactions wait for their turn.
    pub(super) queue_delay: QueueDelay,
    /// How long an open payment belongs to its request before the reconciler may lease it.
    pub(super) reconcile_after: Duration,
    /// The timeout for acquiring a connection and getting its first response.
    pub(super) timeout: Duration,
    /// Whether the database answered the last health check.
    pub(super) is_reachable: Arc<AtomicBool>,
    pub(super) metrics: DatabaseMetrics,
    pub(super) business: BusinessMetrics,
    pub(super) injected_delay: InjectedDelay,
}

impl Pool {
    /// Whether the database is SQLite. Otherwise it is Postgres.
    pub(super) fn is_sqlite(&self) -> bool {
        self.connections.backend() == DbBackend::Sqlite
    }

    /// Checks that the file of a SQLite database can be written.
    pub(super) async fn check_file(&self) -> Result<(), DbErr> {
        match &self.file {
            Some(file) => file.check().await,
            None => Ok(()),
        }
    }

    /// A client span by OpenTelemetry's semantic conventions for databases. It contains no values.
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

    /// Fails when the database does not respond within the timeout. The server's statement timeout has no effect on a
    /// connection that was dropped silently: the request would hang until its client disconnects.
    pub(super) async fn with_timeout<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreFailure>>,
    ) -> Result<T, StoreFailure> {
        tokio::time::timeout(self.timeout, operation).await.map_err(|elapsed| {
            self.suspicion.raise();
            StoreFailure::Unavailable(elapsed.into())
        })?
    }

    /// Runs an operation that has no effect if its connection is of no use, such as the beginning of a transaction. If it
    /// fails for that reason, it runs once more: the pool then checks the connections that were idle, and replaces those
    /// that are of no use either.
    pub(super) async fn retried_once<T, F: Future<Output = Result<T, DbErr>>>(
        &self,
        operation: impl Fn() -> F,
    ) -> Result<T, StoreFailure> {
        let result = match operation().await {
            Err(error) if self.suspicion.note(&error) => operation().await,
            result => result,
        };
        result.map_err(store_failure)
    }

    /// Waits for the write permit of SQLite. `None` on Postgres, which has concurrent writers.
    pub(super) async fn sqlite_write_permit(&self) -> Result<Option<OwnedSemaphorePermit>, StoreFailure> {
        let Some(writer) = self.sqlite_writer.clone() else { return Ok(None) };
        let _waiting = self.queue_delay.wait_for_writers();
        let permit = tokio::time::timeout(self.timeout, writer.acquire_owned()).await;
        // The semaphore is never closed, so acquiring never fails.
        Ok(permit.map_err(|elapsed| StoreFailure::Unavailable(elapsed.into()))?.ok())
    }

    /// Runs a query without a tenant, with the values that `values` returns for the time of the database. On Postgres it
    /// can call the functions of the schema's owner, but row-level security hides all rows of the tables.
    pub(super) async fn query<const N: usize>(
        &self,
        sql: DialectSql,
        values: impl Fn(OffsetDateTime) -> [Value; N],
    ) -> Result<Vec<QueryResult>, StoreFailure> {
        Ok(self.query_at(sql, values).await?.0)
    }

    /// As [`query`](Self::query), and returns the time of the database too.
    pub(super) async fn query_at<const N: usize>(
        &self,
        sql: DialectSql,
        values: impl Fn(OffsetDateTime) -> [Value; N],
    ) -> Result<(Vec<QueryResult>, OffsetDateTime), StoreFailure> {
        self.with_timeout(self.repeated(|| self.try_query(sql, &values))).await
    }

    async fn try_query<const N: usize>(
        &self,
        sql: DialectSql,
        values: &impl Fn(OffsetDateTime) -> [Value; N],
    ) -> Result<(Vec<QueryResult>, OffsetDateTime), StoreFailure> {
        let (rows, now) = if self.is_sqlite() {
            self.check_file().await.map_err(store_failure)?;
            let now = clock::now();
            (self.without_transaction(self.statement(sql, values(now))).await, now)
        } else {
            let begin = self.retried_once(|| self.begin_postgres(Binding::None));
            let (transaction, bound) = begin.await?;
            let statement = self.statement(sql, values(bound.now));
            let rows = async {
                let rows = transaction.query_all_raw(statement).await?;
                transaction.commit().await?;
                Ok(rows)
            };
            (rows.await, bound.now)
        };
        Ok((rows.map_err(|error| self.suspicion.failure(error))?, now))
    }

    /// Runs a query outside of a transaction.
    pub(super) async fn without_transaction(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.acquire().await?.last(statement).await
    }

    /// Takes a connection.
    pub(super) async fn acquire(&self) -> Result<PooledConnection, DbErr> {
        let waiting = self.queue_delay.wait_for_connection();
        let acquired = self.connections.acquire(self.limits).await;
        self.metrics.acquired(waiting.elapsed());
        acquired
    }

    /// Runs a statement without a tenant whose rows, if it returns any, are of no interest.
    pub(super) async fn execute<const N: usize>(
        &self,
        sql: DialectSql,
        values: impl Fn(OffsetDateTime) -> [Value; N],
    ) -> Result<(), StoreFailure> {
        self.query(sql, values).await.map(drop)
    }

    fn statement<const N: usize>(&self, sql: DialectSql, values: [Value; N]) -> Statement {
        let backend = self.connections.backend();
        let sql = if self.is_sqlite() { sql.sqlite } else { sql.postgres };
        Statement::from_sql_and_values(backend, sql, values)
    }
}

/// The value of a column.
pub(super) fn get<T: TryGetable>(row: &QueryResult, column: &str) -> Result<T, StoreFailure> {
    row.try_get("", column).map_err(store_failure)
}

/// A statement in the SQL dialects of both databases.
#[derive(Clone, Copy)]
pub(super) struct DialectSql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// A hook that is called at the beginning of each transaction. It returns the duration of an additional first
/// statement. This module therefore does not depend on fault injection.
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
