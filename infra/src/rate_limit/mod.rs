//! Rate limits by plan. Each tenant has a token bucket, which refills at a constant rate. A request takes one token,
//! and is rejected if there is none.

mod in_process;
mod redis;
mod rejections;

use std::time::{Duration, Instant};

use glasshouse_domain::id::TenantId;
use glasshouse_domain::tenant::Plan;

use self::in_process::InProcessLimiter;
use self::redis::RedisLimiter;
use self::rejections::Rejections;
use crate::redis::{Redis, RedisError};

/// The rate limit of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The refill rate in tokens per second; at least 1.
    pub per_second: u32,
    /// The capacity of the bucket in tokens, which is the size of the largest burst; at least 1.
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

/// The decision about one request, with the state of the bucket for the rate-limit headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request is allowed.
    pub allowed: bool,
    /// The capacity of the bucket in tokens.
    pub limit: u32,
    /// The number of tokens left.
    pub remaining: u32,
    /// The time until the next token if the request is rejected, otherwise until the bucket is full.
    pub reset: Duration,
}

/// Limits the request rate of each tenant.
#[derive(Debug)]
pub struct RateLimiter {
    buckets: Buckets,
    rejections: Rejections,
}

/// The storage of the buckets.
#[derive(Debug)]
enum Buckets {
    /// In this process.
    InProcess(InProcessLimiter),
    /// In Redis, shared by all processes.
    Redis(RedisLimiter),
}

impl RateLimiter {
    /// A limiter with buckets in this process, for the demo.
    #[must_use]
    pub fn in_process(quotas: &Quotas) -> Self {
        Self { buckets: Buckets::InProcess(InProcessLimiter::new(quotas)), rejections: Rejections::default() }
    }

    /// A limiter with buckets in Redis, shared by all processes.
    #[must_use]
    pub fn in_redis(redis: Redis, quotas: Quotas) -> Self {
        Self { buckets: Buckets::Redis(RedisLimiter::new(redis, quotas)), rejections: Rejections::default() }
    }

    /// Takes a token from the tenant's bucket if there is one, and returns the decision.
    ///
    /// # Errors
    /// When Redis fails. Callers allow the request: an outage of the limiter must not become one of the service.
    pub async fn take(&self, tenant: TenantId, plan: Plan) -> Result<Decision, RedisError> {
        let decision = match &self.buckets {
            Buckets::InProcess(limiter) => limiter.take(tenant, plan),
            Buckets::Redis(limiter) => limiter.take(tenant, plan).await?,
        };
        if !decision.allowed {
            self.rejections.insert(tenant, decision, Instant::now());
        }
        Ok(decision)
    }

    /// The rejection of the tenant's last request, as long as the bucket cannot have another token. It needs no call to
    /// Redis and no lookup of the user, so rejecting a flood of requests is cheap.
    #[must_use]
    pub fn current_rejection(&self, tenant: TenantId) -> Option<Decision> {
        self.rejections.current(tenant, Instant::now())
    }

    /// Counts a rejected request of the tenant. At most once a second it returns the number of rejections since it last
    /// returned one, so that a flood of requests is not a flood of log records.
    pub fn count_rejection(&self, tenant: TenantId) -> Option<u64> {
        self.rejections.count(tenant, Instant::now())
    }
}
