//! Rate limits of tenants.

use std::fmt::Display;

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

    /// The rate limiter could not decide, and the request passed.
    pub struct RateLimiterFailed<'a>: WARN "rate_limiter_failed" {
        tenant_id: &'a dyn Display,
        error: &'a dyn Display,
    }
}
