//! A connection that is in use, with the limits and the telemetry of its statements.

use std::io;
use std::sync::Arc;

use sea_orm::{DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement, Values};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use super::connection::Connection;
use super::connections::Connector;
use super::limits::Limits;
use super::meaning::Meaning;
use super::statements::Observer;
use crate::pool::InUse;

/// A connection that is in use. Unless it is given back, it is closed when this is dropped: what its session still does is
/// not known then. One that turns out to be lost is closed at once.
pub(super) struct PooledConnection {
    /// `None` when it turned out to be lost, or is given back.
    connection: Option<InUse<Connector>>,
    limits: Limits,
    observer: Arc<Observer>,
}

impl PooledConnection {
    pub(super) const fn new(connection: InUse<Connector>, limits: Limits, observer: Arc<Observer>) -> Self {
        Self { connection: Some(connection), limits, observer }
    }

    /// Gives the connection back to the pool. Its session has no open transaction.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
    }

    /// Runs a statement. Returns the number of rows that it changed.
    pub(super) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (sql, values) = parts(statement);
        self.run(&sql.clone(), DbErr::Exec, async |connection| connection.execute(sql, values).await).await
    }

    /// The first row of a query.
    pub(super) async fn first(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        self.run(&sql.clone(), DbErr::Query, async |connection| connection.first(sql, values).await).await
    }

    /// All rows of a query.
    pub(super) async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        self.run(&sql.clone(), DbErr::Query, async |connection| connection.all(sql, values).await).await
    }

    /// All rows of a query outside of a transaction, which is the last use of this connection. It is given back unless it may
    /// still be at work: an error of the server ends the query.
    pub(super) async fn last(mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let result = self.all(statement).await;
        if result.as_ref().err().is_none_or(is_response) {
            self.give_back();
        }
        result
    }

    /// Runs one or several statements that are not prepared, in one round trip.
    pub(super) async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let text = Arc::from(sql);
        self.run(sql, DbErr::Exec, async |connection| connection.execute_unprepared(text).await).await
    }

    /// The first row of one or several statements that are not prepared, in one round trip. `name` is what telemetry shows of
    /// them: they contain values.
    pub(super) async fn first_unprepared(
        &mut self,
        name: &str,
        sql: String,
    ) -> Result<Option<QueryResult>, DbErr> {
        self.run(name, DbErr::Query, async |connection| connection.first_unprepared(sql.into()).await).await
    }

    /// Runs a statement with a deadline, and observes it.
    async fn run<T>(
        &mut self,
        sql: &str,
        error: fn(RuntimeErr) -> DbErr,
        statement: impl AsyncFnOnce(&mut Connection) -> Result<T, SqlxError>,
    ) -> Result<T, DbErr> {
        let Some(connection) = &mut self.connection else { return Err(closed()) };
        let connection = connection.connection();
        let backend = connection.backend();
        let answer = async {
            let result = statement(connection).await;
            result.map_err(|cause| error(RuntimeErr::SqlxError(Arc::new(cause))))
        };
        // sqlx enters the current span twice for every row, which costs more than the row. Without a subscriber there is none.
        let answer = answer.with_subscriber(Dispatch::none());
        let result = self.observer.observe(backend, sql, self.limits.within_deadline(answer)).await;
        if result.as_ref().is_err_and(|error| Meaning::of(error) == Meaning::Disconnected) {
            self.close();
        }
        result
    }

    /// Closes the connection, and makes room in the pool.
    fn close(&mut self) {
        self.connection = None;
    }
}

/// The text of a statement, and its values.
fn parts(statement: Statement) -> (Arc<str>, Values) {
    (statement.sql.into(), statement.values.unwrap_or_else(|| Values(Vec::new())))
}

/// Whether the database returned this error.
fn is_response(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    matches!(**cause, SqlxError::Database(_))
}

/// An earlier statement turned out to have lost the connection.
fn closed() -> DbErr {
    let cause = io::Error::new(io::ErrorKind::NotConnected, "the connection is closed");
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(SqlxError::Io(cause))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use glasshouse_telemetry::service::metrics::{Metrics, MetricsSettings};
    use sqlx::sqlite::SqliteConnectOptions;
    use tracing::{Instrument, Span};

    use super::super::address::DriverOptions;
    use super::super::connections::{Connections, PoolSettings};
    use super::super::suspicion::Suspicion;
    use super::*;

    #[tokio::test]
    async fn a_statement_runs_outside_of_the_current_span() {
        let options = DriverOptions::Sqlite(Box::new(SqliteConnectOptions::new().in_memory(true)));
        let metrics = Metrics::new(MetricsSettings::default()).unwrap().database;
        let (settings, limits) =
            (PoolSettings::new(1, Duration::from_secs(30)), Limits { statement: Duration::from_secs(30) });
        let observer = Observer { slow: Duration::MAX, metrics };
        let connections = Connections::open(options, settings, limits, Suspicion::default(), observer);
        let mut connection = connections.await.unwrap().acquire(limits).await.unwrap();

        let _recorded = tracing::subscriber::set_default(tracing_subscriber::registry());
        let span = tracing::info_span!("request");
        let spans = async {
            let statement = async |_: &mut Connection| Ok(Span::current().is_none());
            let of_the_statement = connection.run("SELECT 1", DbErr::Query, statement).await.unwrap();
            (of_the_statement, Span::current().is_none())
        };
        assert_eq!(spans.instrument(span).await, (true, false));
    }
}
