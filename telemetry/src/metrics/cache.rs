use prometheus::{Error, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::define::{counters, gauge, gauges};

/// The cache, and Redis behind it.
#[derive(Clone, Debug)]
pub struct CacheMetrics {
    requests: IntCounterVec,
    connections: IntGaugeVec,
    max: IntGauge,
}

impl CacheMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            requests: counters(
                registry,
                "cache_requests_total",
                "Look-ups in a cache, by cache and result (hit, miss, error).",
                &["cache", "result"],
            )?,
            connections: gauges(
                registry,
                "redis_connections",
                "Connections of the pool, by state (active, idle).",
                &["state"],
            )?,
            max: gauge(registry, "redis_connections_max", "Connections that the pool may open.")?,
        })
    }

    /// There is a cache of this name: its series begin at zero, not with their first event.
    pub fn watch(&self, cache: &str) {
        for result in ["hit", "miss", "error"] {
            self.requests.with_label_values(&[cache, result]);
        }
    }

    /// A value was looked up.
    pub fn looked_up(&self, cache: &str, result: &str) {
        self.requests.with_label_values(&[cache, result]).inc();
    }

    /// How the pool stands.
    pub fn set_pool(&self, open: usize, idle: usize, max: usize) {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.connections.with_label_values(&["active"]).set(count(open.saturating_sub(idle)));
        self.connections.with_label_values(&["idle"]).set(count(idle));
        self.max.set(count(max));
    }
}
