//! Caches, and the connection pool of Redis.

use prometheus::{Error, IntGauge};

use crate::metrics::{IntCounterVec, IntGaugeVec, Registrar};

/// Lookups in caches, and the connection pool of Redis.
#[derive(Clone, Debug)]
pub struct CacheMetrics {
    pub(crate) requests: IntCounterVec<2>,
    pub(crate) rejected: IntCounterVec<2>,
    connections: IntGaugeVec<1>,
    max: IntGauge,
}

impl CacheMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        Ok(Self {
            requests: registrar.int_counter_vec(
                "cache_requests_total",
                "Cache lookups, by cache and result (hit, miss, error).",
                ["cache", "result"],
            )?,
            rejected: registrar.int_counter_vec(
                "cache_entries_rejected_total",
                "Cached entries that were not believed, by cache and reason (not_authentic, outdated).",
                ["cache", "reason"],
            )?,
            connections: registrar.int_gauge_vec(
                "redis_connections",
                "Open connections of the Redis pool, by state (active, idle).",
                ["state"],
            )?,
            max: registrar.int_gauge("redis_connections_max", "Maximum size of the Redis pool.")?,
        })
    }

    /// Creates the series of a cache at zero, so that an alert sees the increase of the first lookup.
    pub fn watch(&self, cache: &str) {
        for result in ["hit", "miss", "error"] {
            self.requests.with([cache, result]);
        }
        for reason in ["not_authentic", "outdated"] {
            self.rejected.with([cache, reason]);
        }
    }

    /// Sets the state of the Redis pool.
    pub fn set_pool(&self, open: usize, idle: usize, max: usize) {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.connections.with(["active"]).set(count(open.saturating_sub(idle)));
        self.connections.with(["idle"]).set(count(idle));
        self.max.set(count(max));
    }
}
