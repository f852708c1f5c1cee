//! Caches, and Redis behind them.

use std::fmt::Display;

use crate::service::metrics::CacheMetrics;

crate::events! {
    "cache"

    /// Redis answered at the start.
    pub struct RedisConnectionOk: INFO "redis_connection_ok" {}

    /// Redis could not be reached at the start. The process does without it until it responds.
    pub struct RedisConnectionFailed<'a>: WARN "redis_connection_failed" { error: &'a str }

    /// A lookup found its key.
    pub struct CacheHit<'a>: DEBUG "cache_hit" { cache: &'a str }
    moves CacheMetrics { requests: |event, requests| requests.with([event.cache, "hit"]).inc(); }

    /// A lookup did not find its key.
    pub struct CacheMiss<'a>: DEBUG "cache_miss" { cache: &'a str }
    moves CacheMetrics { requests: |event, requests| requests.with([event.cache, "miss"]).inc(); }

    /// A cached entry was not believed: `not_authentic` if this service did not write it for its key, `outdated` if the
    /// database contradicts it.
    pub struct CacheEntryRejected<'a>: WARN "cache_entry_rejected" { cache: &'a str, reason: &'a str }
    moves CacheMetrics { rejected: |event, rejected| rejected.with([event.cache, event.reason]).inc(); }

    /// A cache could not be read or written. Only lookups count in `cache_requests_total`.
    pub struct CacheFailed<'a>: WARN "cache_failed" { cache: &'a str, error: &'a dyn Display }
    unlogged { is_lookup: bool }
    moves CacheMetrics {
        requests: |event, requests| requests.with([event.cache, "error"]).inc_by(u64::from(event.is_lookup));
    }

    /// A lookup or a change was not attempted, because the circuit of Redis is open. Only lookups count in
    /// `cache_requests_total`, as errors.
    pub struct CacheSkipped<'a>: DEBUG "cache_skipped" { cache: &'a str }
    unlogged { is_lookup: bool }
    moves CacheMetrics {
        requests: |event, requests| requests.with([event.cache, "error"]).inc_by(u64::from(event.is_lookup));
    }

    /// Redis could not count a user as active.
    pub struct ActiveUsersNotCounted<'a>: DEBUG "active_users_not_counted" { error: &'a dyn Display }
}
