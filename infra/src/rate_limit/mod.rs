//! Rate limits by plan: each tenant has a bucket of tokens, which fills at a steady rate. A request takes
//! one token, and is refused while there is none.

mod in_process;
mod redis;

use std::time::Duration;

use glasshouse_domain::id::TenantId;
use glasshouse_domain::tenant::Plan;

pub use self::in_process::InProcessLimiter;
pub use self::redis::RedisLimiter;
use crate::redis::RedisError;

/// How many requests a plan allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Tokens that flow into the bucket each second; at least 1.
    pub per_second: u32,
    /// Tokens that the bucket holds: how many requests may come at once; at least 1.
    pub burst: u32,
}

/// The quota of each plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// For [`Plan::Free`].
    pub free: Quota,
    /// For [`Plan::Pro`].
    pub pro: Quota,
    /// For [`Plan::Enterprise`].
    pub enterprise: Quota,
}

impl Quotas {
    /// The quota of one plan.
    #[must_use]
    pub const fn of(&self, plan: Plan) -> Quota {
        match plan {
            Plan::Free => self.free,
            Plan::Pro => self.pro,
            Plan::Enterprise => self.enterprise,
        }
    }
}

/// What became of a request, and what the client is told of its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may go on.
    pub allowed: bool,
    /// How many tokens the bucket holds when full.
    pub limit: u32,
    /// How many tokens are left now.
    pub remaining: u32,
    /// How long until the next token, if the request was refused; until the bucket is full, otherwise.
    pub reset: Duration,
}

/// Where the buckets are kept.
#[derive(Debug)]
pub enum RateLimiter {
    /// In this process, for the demo.
    InProcess(InProcessLimiter),
    /// In Redis, shared by all processes.
    Redis(RedisLimiter),
}

impl RateLimiter {
    /// Takes a token out of the tenant's bucket, if there is one.
    ///
    /// # Errors
    /// When Redis fails. Callers let the request pass: a limiter that is gone must not take the service down.
    pub async fn take(&self, tenant: TenantId, plan: Plan) -> Result<Decision, RedisError> {
        match self {
            Self::InProcess(limiter) => Ok(limiter.take(tenant, plan)),
            Self::Redis(limiter) => limiter.take(tenant, plan).await,
        }
    }
}
