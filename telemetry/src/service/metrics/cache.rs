//! Caches, and the connection pool of Redis.

use prometheus::Error;

use super::pool::PoolGauges;
use crate::metrics::{IntCounterVec, Registrar};

/// Lookups in caches, and the connection pool of Redis.
#[derive(Clone, Debug)]
pub struct CacheMetrics {
    pub(crate) requests: IntCounterVec<2>,
    pub(crate) rejected: IntCounterVec<2>,
    pool: PoolGauges,
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
            pool: PoolGauges::register(
                registrar,
                ("redis_connections", "Open connections of the Redis pool, by state (active, idle)."),
                ("redis_connections_max", "Maximum size of the Redis pool."),
            )?,
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
        self.pool.set(open, idle, max);
    }
}
