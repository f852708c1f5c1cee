//! The connections of this process: opens them, keeps them, and decides which may be used again.
//!
//! A connection goes back as soon as its transaction has ended well, without a round trip. One that ended in any other way is
//! closed. A connection that was idle for long, or that another one makes suspect, is checked before its next use.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use backon::{ExponentialBuilder, Retryable};
use deadpool::managed::{Manager, Metrics, PoolError, RecycleError, RecycleResult};
use sea_orm::{ConnAcquireErr, DbBackend, DbErr, RuntimeErr, SqlxError};

use super::address::DriverOptions;
use super::connection::Connection;
use super::limits::Limits;
use super::pooled_connection::PooledConnection;
use super::statements::Observer;
use super::suspicion::Suspicion;
use crate::pool::{Pool, Sizes};

/// The default of [`PoolSettings::max_age`].
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// The default of [`PoolSettings::max_idle`].
const MAX_IDLE: Duration = Duration::from_secs(10 * 60);

/// The pause after the first attempt to connect to a server that does not accept connections yet.
const CONNECT_PAUSE: Duration = Duration::from_millis(10);

/// How long the close of the pool waits for the connections that are in use.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections there are, and how long each is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolSettings {
    /// The maximum number of connections.
    pub(super) size: u32,
    /// How long a transaction waits for a connection.
    pub(super) acquire_timeout: Duration,
    /// How long a connection is used. Sessions of Postgres keep memory for what they have done.
    max_age: Duration,
    /// How long a connection is kept that no transaction needs.
    max_idle: Duration,
}

impl PoolSettings {
    pub(super) const fn new(size: u32, acquire_timeout: Duration) -> Self {
        Self { size, acquire_timeout, max_age: MAX_AGE, max_idle: MAX_IDLE }
    }
}

/// The connections of this process. Clones share them.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool<Connector>,
    backend: DbBackend,
    settings: PoolSettings,
    observer: Arc<Observer>,
}

/// Opens connections, and checks those that were idle.
pub(super) struct Connector {
    options: DriverOptions,
    suspicion: Suspicion,
    settings: PoolSettings,
    limits: Limits,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options of a connection contain a password.
        f.debug_struct("Connections").field("sizes", &self.sizes()).finish_non_exhaustive()
    }
}

impl Connections {
    /// Opens the first connection.
    pub(super) async fn open(
        options: DriverOptions,
        settings: PoolSettings,
        limits: Limits,
        suspicion: Suspicion,
        observer: Observer,
    ) -> Result<Self, DbErr> {
        let backend = match options {
            DriverOptions::Postgres(_) => DbBackend::Postgres,
            DriverOptions::Sqlite(_) => DbBackend::Sqlite,
        };
        let connector = Connector { options, suspicion, settings, limits };
        let size = usize::try_from(settings.size).unwrap_or(usize::MAX);
        let connections =
            Self { pool: Pool::new(connector, size), backend, settings, observer: Arc::new(observer) };
        connections.acquire(limits).await?.give_back();
        connections.close_unneeded();
        Ok(connections)
    }

    /// The SQL dialect.
    pub(super) const fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Takes a connection, whose statements will have these limits.
    pub(super) async fn acquire(&self, limits: Limits) -> Result<PooledConnection, DbErr> {
        let connection = match tokio::time::timeout(self.settings.acquire_timeout, self.pool.get()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(PoolError::Backend(error))) => {
                return Err(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))));
            }
            Ok(Err(PoolError::Closed)) => {
                return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed));
            }
            _ => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        };
        Ok(PooledConnection::new(connection, limits, self.observer.clone()))
    }

    pub(super) fn sizes(&self) -> Sizes {
        self.pool.sizes()
    }

    /// Closes the connections that are idle. Returns the first error.
    pub(super) async fn close_idle(&self) -> Result<(), SqlxError> {
        let mut result = Ok(());
        for connection in self.pool.remove_idle(|_| false) {
            result = result.and(connection.close().await);
        }
        result
    }

    /// Closes all connections. Waits until those in use are given back.
    pub(super) async fn close(&self) -> Result<(), SqlxError> {
        let result = self.close_idle().await;
        self.pool.close();
        let given_back = async {
            while self.pool.sizes().open > 0 {
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
        };
        // Those that take longer end with the process.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, given_back).await;
        result
    }

    /// Closes connections in the background that were idle for long.
    fn close_unneeded(&self) {
        let (pool, max_idle) = (self.pool.downgrade(), self.settings.max_idle);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(max_idle / 10).await;
                let Some(pool) = pool.upgrade() else { return };
                for connection in pool.remove_idle(|metrics| metrics.last_used() < max_idle) {
                    // It is of no use any more, whether or not the server hears of it.
                    let _ = tokio::time::timeout(CLOSE_TIMEOUT, connection.close()).await;
                }
            }
        });
    }
}

impl Manager for Connector {
    type Type = Connection;
    type Error = SqlxError;

    /// Connects. Repeats it while the server starts; whoever waits for the connection has a deadline.
    async fn create(&self) -> Result<Connection, SqlxError> {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(CONNECT_PAUSE)
            .with_max_delay(self.settings.acquire_timeout / 5)
            .without_max_times();
        (|| Connection::open(&self.options, self.limits)).retry(pauses).when(is_starting).await
    }

    async fn recycle(&self, connection: &mut Connection, metrics: &Metrics) -> RecycleResult<SqlxError> {
        let age = metrics.age();
        if age > self.settings.max_age || self.suspicion.outdates(age) {
            return Err(RecycleError::message("outdated"));
        }
        // The time since it was last taken: at least as long as it was idle.
        if self.suspicion.covers(metrics.last_used()) {
            // One that does not respond is replaced within the same wait.
            let response = tokio::time::timeout(self.settings.acquire_timeout / 4, connection.ping()).await;
            return response
                .unwrap_or_else(|_elapsed| {
                    self.suspicion.outdate();
                    Err(SqlxError::Io(io::ErrorKind::TimedOut.into()))
                })
                .map_err(RecycleError::Backend);
        }
        Ok(())
    }
}

/// Whether the server does not accept connections yet, or has too many.
fn is_starting(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        SqlxError::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use glasshouse_telemetry::service::metrics::{Metrics as ServiceMetrics, MetricsSettings};
    use sea_orm::{ConnectionTrait, Statement};
    use sqlx::sqlite::SqliteConnectOptions;

    use super::super::open_transaction::OpenTransaction;
    use super::*;

    const LIMITS: Limits = Limits { statement: Duration::from_secs(30) };

    /// A pool of connections each of which has a database of its own, in memory, so that its content identifies it.
    async fn open(settings: PoolSettings) -> (Connections, Suspicion) {
        let options = DriverOptions::Sqlite(Box::new(SqliteConnectOptions::new().in_memory(true)));
        let metrics = ServiceMetrics::new(MetricsSettings::default()).unwrap().database;
        let observer = Observer { slow: Duration::MAX, metrics };
        let suspicion = Suspicion::default();
        let connections =
            Connections::open(options, settings, LIMITS, suspicion.clone(), observer).await.unwrap();
        (connections, suspicion)
    }

    fn one() -> PoolSettings {
        PoolSettings::new(1, Duration::from_secs(30))
    }

    /// Marks the connection of a pool of one, in a transaction that is committed.
    async fn mark(connections: &Connections) {
        let transaction = begin(connections).await;
        transaction.execute_unprepared("CREATE TABLE mark (id INTEGER PRIMARY KEY)").await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Whether the next transaction has the connection that was marked.
    async fn is_marked(connections: &Connections) -> bool {
        let transaction = begin(connections).await;
        let query = statement("SELECT 1 FROM sqlite_schema WHERE name = 'mark'");
        let row = transaction.query_one_raw(query).await.unwrap();
        transaction.commit().await.unwrap();
        row.is_some()
    }

    async fn begin(connections: &Connections) -> OpenTransaction {
        let connection = connections.acquire(LIMITS).await.unwrap();
        let transaction = OpenTransaction::on(DbBackend::Sqlite, connection, None);
        transaction.execute_unprepared("BEGIN").await.unwrap();
        transaction
    }

    #[tokio::test]
    async fn a_connection_whose_transaction_was_committed_or_rolled_back_is_used_again() {
        let (connections, _) = open(one()).await;
        mark(&connections).await;
        assert!(is_marked(&connections).await);
        drop(begin(&connections).await);
        assert!(is_marked(&connections).await);
        let sizes = connections.sizes();
        assert_eq!((sizes.open, sizes.idle, sizes.max), (1, 1, 1));
    }

    #[tokio::test]
    async fn a_connection_whose_transaction_did_not_end_well_is_closed() {
        for ending in ["COMMIT", "ROLLBACK"] {
            let (connections, _) = open(one()).await;
            mark(&connections).await;
            let transaction = begin(&connections).await;
            // As SQLite does by itself when the disk is full: then the transaction cannot be ended.
            transaction.execute_unprepared("ROLLBACK").await.unwrap();
            if ending == "COMMIT" {
                transaction.commit().await.unwrap_err();
            }
            drop(transaction);
            assert!(!is_marked(&connections).await, "{ending}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_not_given_back_is_closed() {
        let (connections, _) = open(one()).await;
        mark(&connections).await;
        drop(connections.acquire(LIMITS).await.unwrap());
        assert_eq!(connections.sizes().open, 0);
        assert!(!is_marked(&connections).await);
    }

    fn statement(sql: &str) -> Statement {
        Statement::from_string(DbBackend::Sqlite, sql)
    }

    #[tokio::test]
    async fn a_connection_is_used_again_after_a_last_statement_to_which_the_database_responded() {
        for (sql, is_valid) in [("SELECT 1", true), ("SELECT * FROM missing", false)] {
            let (connections, _) = open(one()).await;
            mark(&connections).await;
            let last = connections.acquire(LIMITS).await.unwrap().last(statement(sql)).await;
            assert_eq!(last.is_ok(), is_valid, "{last:?}");
            assert!(is_marked(&connections).await, "{sql}");
        }
    }

    #[tokio::test]
    async fn a_connection_is_closed_whose_last_statement_is_cancelled() {
        // It takes long enough that its result is not there when it is polled for the first time.
        const COUNT: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT count(*) FROM n";
        let (connections, _) = open(one()).await;
        mark(&connections).await;
        let mut last = Box::pin(connections.acquire(LIMITS).await.unwrap().last(statement(COUNT)));
        assert!(last.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(last);
        assert!(!is_marked(&connections).await);
    }

    #[tokio::test]
    async fn a_connection_that_is_too_old_is_replaced() {
        let (connections, _) = open(PoolSettings { max_age: Duration::ZERO, ..one() }).await;
        mark(&connections).await;
        assert!(!is_marked(&connections).await);
    }

    #[tokio::test]
    async fn all_connections_are_replaced_that_were_open_when_one_was_read_only() {
        let (connections, suspicion) = open(one()).await;
        mark(&connections).await;
        suspicion.outdate();
        assert!(!is_marked(&connections).await);
        mark(&connections).await;
        assert!(is_marked(&connections).await, "it was opened since");
    }

    #[tokio::test]
    async fn a_connection_that_no_transaction_needs_is_closed() {
        let (connections, _) = open(PoolSettings { max_idle: Duration::from_millis(10), ..one() }).await;
        let closed = async {
            while connections.sizes().open > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), closed).await.unwrap();
        assert!(!is_marked(&connections).await, "one that is needed is opened");
    }

    #[tokio::test]
    async fn a_transaction_waits_for_a_connection_no_longer_than_its_timeout() {
        let (connections, _) = open(PoolSettings::new(1, Duration::from_millis(10))).await;
        let held = connections.acquire(LIMITS).await.unwrap();
        let error = connections.acquire(LIMITS).await.map(drop).unwrap_err();
        assert!(matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)), "{error:?}");
        held.give_back();
        connections.acquire(LIMITS).await.unwrap().give_back();
    }

    #[tokio::test]
    async fn a_closed_pool_waits_for_connections_in_use_and_opens_no_more() {
        let (connections, _) = open(one()).await;
        let transaction = begin(&connections).await;
        let mut closing = pin!(connections.close());
        assert!(closing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        transaction.commit().await.unwrap();
        closing.await.unwrap();
        assert_eq!(connections.sizes().open, 0);
        let error = connections.acquire(LIMITS).await.map(drop).unwrap_err();
        assert!(matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)), "{error:?}");
    }
}
