//! Database queries, and the connection pool.

use std::time::Duration;

use prometheus::{Error, Histogram, IntCounter, IntGauge};

use super::pool::PoolGauges;
use crate::metrics::Registrar;
use crate::metrics::semconv::{self, DatabaseDuration};

/// Database queries, and the connection pool.
#[derive(Clone, Debug)]
pub struct DatabaseMetrics {
    active: IntGauge,
    pool: PoolGauges,
    acquire_wait: Histogram,
    duration: Histogram,
    operations: DatabaseDuration,
    pub(crate) slow: IntCounter,
    pub(crate) repeated: IntCounter,
}

/// A query, as OpenTelemetry's semantic conventions describe it.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    /// The attribute `db.system.name`, such as `postgresql`.
    pub system: &'a str,
    /// The attribute `db.operation.name`, such as `SELECT`.
    pub name: String,
    /// The attribute `error.type` of the span, if the query failed.
    pub error: Option<&'a str>,
}

impl DatabaseMetrics {
    pub(super) fn register(registrar: &mut Registrar, has_semconv: bool) -> Result<Self, Error> {
        Ok(Self {
            active: registrar
                .int_gauge("active_database_connections", "Connections of the database pool in use.")?,
            pool: PoolGauges::register(
                registrar,
                ("database_connections", "Open connections of the database pool, by state (active, idle)."),
                ("database_connections_max", "Maximum size of the database pool."),
            )?,
            acquire_wait: registrar.histogram(
                "database_acquire_wait_seconds",
                "Time that a transaction waited for a connection, in seconds, timeouts included.",
            )?,
            duration: registrar
                .histogram("database_query_duration_seconds", "Duration of one query, in seconds.")?,
            operations: semconv::database_duration(registrar, has_semconv)?,
            slow: registrar.int_counter(
                "database_slow_queries_total",
                "Queries that took longer than GLASSHOUSE_SLOW_QUERY_MS.",
            )?,
            repeated: registrar.int_counter(
                "database_transactions_repeated_total",
                "Transactions that ran again because the database rolled them back.",
            )?,
        })
    }

    /// Observes how long a transaction waited for its connection.
    pub fn acquired(&self, waited: Duration) {
        self.acquire_wait.observe(waited.as_secs_f64());
    }

    /// Observes a query. `operation` is asked for only if a metric needs it.
    pub fn queried<'a>(&self, duration: Duration, operation: impl FnOnce() -> Operation<'a>) {
        self.duration.observe(duration.as_secs_f64());
        if let Some(operations) = self.operations.exported() {
            let Operation { system, name, error } = operation();
            operations.with([system, &name, error.unwrap_or_default()]).observe(duration.as_secs_f64());
        }
    }

    /// Sets the state of the pool.
    pub fn set_pool(&self, open: usize, idle: usize, max: usize) {
        self.pool.set(open, idle, max);
        self.active.set(self.pool.active());
    }
}
