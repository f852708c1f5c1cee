use std::time::Duration;

use prometheus::{Error, Histogram, IntCounter, IntGauge, IntGaugeVec, Registry};

use super::define::{counter, duration, gauge, gauges};

/// The database and its pool.
#[derive(Clone, Debug)]
pub struct DatabaseMetrics {
    active: IntGauge,
    connections: IntGaugeVec,
    max: IntGauge,
    acquire_wait: Histogram,
    duration: Histogram,
    slow: IntCounter,
}

impl DatabaseMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            active: gauge(
                registry,
                "active_database_connections",
                "Connections of the pool that are in use.",
            )?,
            connections: gauges(
                registry,
                "database_connections",
                "Connections of the pool, by state (active, idle).",
                &["state"],
            )?,
            max: gauge(registry, "database_connections_max", "Connections that the pool may open.")?,
            acquire_wait: duration(
                registry,
                "database_acquire_wait_seconds",
                "Time that a transaction waited for a connection and for its BEGIN, in seconds.",
            )?,
            duration: duration(
                registry,
                "database_query_duration_seconds",
                "Time of one statement, in seconds.",
            )?,
            slow: counter(
                registry,
                "database_slow_queries_total",
                "Statements that took longer than GLASSHOUSE_SLOW_QUERY_MS.",
            )?,
        })
    }

    /// A transaction got its connection.
    pub fn acquired(&self, waited: Duration) {
        self.acquire_wait.observe(waited.as_secs_f64());
    }

    /// A statement ended.
    pub fn queried(&self, duration: Duration, is_slow: bool) {
        self.duration.observe(duration.as_secs_f64());
        if is_slow {
            self.slow.inc();
        }
    }

    /// How the pool stands.
    pub fn set_pool(&self, open: u32, idle: u32, max: u32) {
        let active = open.saturating_sub(idle);
        self.active.set(active.into());
        self.connections.with_label_values(&["active"]).set(active.into());
        self.connections.with_label_values(&["idle"]).set(idle.into());
        self.max.set(max.into());
    }
}
