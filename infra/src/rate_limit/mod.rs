//! Rate limits by plan: each tenant has a bucket of tokens, which fills at a steady rate. A request takes
//! one token, and is refused while there is none.

mod in_process;
mod redis;
mod refusals;

use std::time::{Duration, Instant};

use glasshouse_domain::id::TenantId;
use glasshouse_domain::tenant::Plan;

use self::in_process::InProcessLimiter;
use self::redis::RedisLimiter;
use self::refusals::Refusals;
use crate::redis::{Redis, RedisError};

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

/// Decides whether a tenant's request may go on.
#[derive(Debug)]
pub struct RateLimiter {
    buckets: Buckets,
    refusals: Refusals,
}

/// Where the buckets are kept.
#[derive(Debug)]
enum Buckets {
    /// In this process, for the demo.
    InProcess(InProcessLimiter),
    /// In Redis, shared by all processes.
    Redis(RedisLimiter),
}

impl RateLimiter {
    /// With buckets in this process, for the demo.
    #[must_use]
    pub fn in_process(quotas: &Quotas) -> Self {
        Self { buckets: Buckets::InProcess(InProcessLimiter::new(quotas)), refusals: Refusals::default() }
    }

    /// With buckets in Redis, shared by all processes.
    #[must_use]
    pub fn in_redis(redis: Redis, quotas: Quotas) -> Self {
        Self { buckets: Buckets::Redis(RedisLimiter::new(redis, quotas)), refusals: Refusals::default() }
    }

    /// Takes a token out of the tenant's bucket, if there is one.
    ///
    /// # Errors
    /// When Redis fails. Callers let the request pass: a limiter that is gone must not take the service down.
    pub async fn take(&self, tenant: TenantId, plan: Plan) -> Result<Decision, RedisError> {
        let decision = match &self.buckets {
            Buckets::InProcess(limiter) => limiter.take(tenant, plan),
            Buckets::Redis(limiter) => limiter.take(tenant, plan).await?,
        };
        if !decision.allowed {
            self.refusals.add(tenant, decision, Instant::now());
        }
        Ok(decision)
    }

    /// The refusal of the tenant's last request, as long as its bucket cannot have another token: then nobody need be
    /// asked, neither Redis nor who is calling, and a flood of requests costs next to nothing.
    #[must_use]
    pub fn standing_refusal(&self, tenant: TenantId) -> Option<Decision> {
        self.refusals.standing(tenant, Instant::now())
    }

    /// Counts a refused request of the tenant. Once a second it answers how many there were since the last answer, so
    /// that a flood of requests is not a flood of log lines.
    pub fn count_refusal(&self, tenant: TenantId) -> Option<u64> {
        self.refusals.count(tenant, Instant::now())
    }
}
