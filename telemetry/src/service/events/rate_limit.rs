//! Rate limits of tenants.

use std::fmt::Display;

use crate::service::metrics::AdmissionMetrics;

crate::events! {
    "rate limit"

    /// A tenant has a tenth of its rate limit left.
    pub struct RateLimitApproached<'a>: WARN "rate_limit_approached" {
        tenant_id: &'a dyn Display,
        remaining: u32,
    }

    /// Requests of a tenant were throttled: `refused` of them since the last such record. At most one record a second
    /// for each tenant and process.
    pub struct RateLimitExceeded<'a>: WARN "rate_limit_exceeded" { tenant_id: &'a dyn Display, refused: u64 }

    /// Redis is unavailable, so this process limits requests by itself, with its share of the quotas.
    pub struct RateLimiterFellBack<'a>: WARN "rate_limiter_fell_back" { error: &'a dyn Display }
    moves AdmissionMetrics { limiter_is_local: |_, limiter_is_local| limiter_is_local.set(1); }

    /// The rate limits are shared through Redis again.
    pub struct RateLimiterRestored: INFO "rate_limiter_restored" {}
    moves AdmissionMetrics { limiter_is_local: |_, limiter_is_local| limiter_is_local.set(0); }
}
