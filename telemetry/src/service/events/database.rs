//! The database, its connections and its queries.

use std::fmt::Display;

use crate::events::Critical;
use crate::service::metrics::DatabaseMetrics;

crate::events! {
    "database"

    /// The database answered at the start, or again after it was lost.
    pub struct DatabaseConnectionOk: INFO "database_connection_ok" {}

    /// The database could not be reached at the start.
    pub struct DatabaseConnectionFailed<'a>: ERROR "database_connection_failed" { error: &'a str }

    /// The database stopped answering health checks. `severity` is `critical`.
    pub struct DatabaseConnectionLost: ERROR "database_connection_lost" { severity: Critical }

    /// Connections could not be closed at the end.
    pub struct DatabaseCloseFailed<'a>: WARN "database_close_failed" { error: &'a dyn Display }

    /// A transaction without effect runs again, because the database rolled it back in favor of another one, or accepts no
    /// writes on this connection.
    pub struct TransactionRepeated<'a>: WARN "transaction_repeated" { error: &'a dyn Display }
    moves DatabaseMetrics { repeated: |_, repeated| repeated.inc(); }

    /// A query took longer than `GLASSHOUSE_SLOW_QUERY_MS`. `duration` is in seconds; `query` has up to 200 characters,
    /// with placeholders for values.
    pub struct SlowQuery<'a>: WARN "slow_query" { duration: f64, query: &'a str }
    moves DatabaseMetrics { slow: |_, slow| slow.inc(); }
}
