//! Rate limits by plan. Each tenant has a token bucket, which refills at a constant rate. A request takes one token,
//! and is rejected if there is none.
//!
//! The buckets are in Redis, shared by all processes. While Redis is unavailable, each process uses buckets of its own,
//! with its share of the quota.

mod in_process;
mod redis;
mod rejections;

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glasshouse_domain::id::TenantId;
use glasshouse_domain::tenant::Plan;
use glasshouse_telemetry::service::events::rate_limit::{RateLimiterFellBack, RateLimiterRestored};
use glasshouse_telemetry::service::metrics::AdmissionMetrics;

use self::in_process::InProcessLimiter;
use self::redis::RedisLimiter;
use self::rejections::Rejections;
use crate::redis::{Redis, RedisError};
use crate::tokens::Claims;

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
    /// The number of processes that share the quotas. While Redis is unavailable, each allows that fraction of them.
    pub processes: NonZeroU32,
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

/// A decision by the plan in the cached entry of the caller. It was made in the call that read the entry, before the entry was
/// verified.
#[derive(Clone, Copy, Debug)]
pub struct EarlyDecision {
    plan: Plan,
    decision: Decision,
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
    /// In Redis, shared by all processes; in this process while Redis is unavailable.
    Redis { shared: RedisLimiter, local: Box<Fallback> },
}

/// The buckets of this process, for the time without Redis.
#[derive(Debug)]
struct Fallback {
    buckets: InProcessLimiter,
    is_active: Mutex<bool>,
    metrics: AdmissionMetrics,
}

impl RateLimiter {
    /// A limiter with buckets in this process, for the demo.
    #[must_use]
    pub fn in_process(quotas: &Quotas) -> Self {
        let buckets = Buckets::InProcess(InProcessLimiter::new(quotas, NonZeroU32::MIN));
        Self { buckets, rejections: Rejections::default() }
    }

    /// A limiter with buckets in Redis, shared by all processes, and in this process while Redis is unavailable.
    #[must_use]
    pub fn in_redis(redis: Redis, quotas: Quotas, metrics: AdmissionMetrics) -> Self {
        let buckets = InProcessLimiter::new(&quotas, quotas.processes);
        let local = Box::new(Fallback { buckets, is_active: Mutex::new(false), metrics });
        let buckets = Buckets::Redis { shared: RedisLimiter::new(redis, quotas), local };
        Self { buckets, rejections: Rejections::default() }
    }

    /// Reads the cached entry of the caller. Where the buckets are in Redis too, takes a token by the plan in it, in the same round
    /// trip, unless the entry names no active user, or other sessions than the claims.
    ///
    /// # Errors
    /// When the entry cannot be read.
    pub(crate) async fn read_and_take(
        &self,
        redis: &Redis,
        entry: &str,
        claims: &Claims,
    ) -> Result<(Option<Vec<u8>>, Option<EarlyDecision>), RedisError> {
        if let Buckets::Redis { shared, .. } = &self.buckets {
            match shared.read_and_take(entry, claims.tenant(), claims.sessions()).await {
                // A replica, or a server without memory, can be read although no token can be taken.
                Err(error) if !error.is_outage() => {}
                result => return result,
            }
        }
        Ok((redis.get(entry).await?, None))
    }

    /// Takes a token from the tenant's bucket if there is one, and returns the decision.
    pub async fn take(&self, tenant: TenantId, plan: Plan) -> Decision {
        self.decide(tenant, plan, None).await
    }

    /// Returns the early decision if it was made by this plan, and takes a token otherwise: the cached entry may have been forged
    /// or outdated.
    pub async fn decide(&self, tenant: TenantId, plan: Plan, early: Option<EarlyDecision>) -> Decision {
        let early = early.filter(|early| early.plan == plan);
        let decision = match &self.buckets {
            Buckets::InProcess(limiter) => limiter.take(tenant, plan),
            Buckets::Redis { shared, local } => {
                let taken = match early {
                    Some(early) => Ok(early.decision),
                    None => shared.take(tenant, plan).await,
                };
                if taken.is_ok() && local.end() {
                    // They were rejections by this process, which may last longer than those of the shared buckets.
                    self.rejections.clear();
                }
                taken.unwrap_or_else(|error| local.take(tenant, plan, &error))
            }
        };
        if !decision.allowed {
            self.rejections.insert(tenant, decision, Instant::now());
        }
        decision
    }

    /// The rejection of the tenant's last request, as long as the bucket cannot have another token. It needs no call to
    /// Redis and no lookup of the user, so rejecting a flood of requests is cheap.
    #[must_use]
    pub fn current_rejection(&self, tenant: TenantId) -> Option<Decision> {
        self.rejections.current(tenant, Instant::now())
    }

    /// The same while the requests of the tenant are a flood: after the first 20 rejections of a second. Each of these is worth a
    /// log record, and the others are not.
    #[must_use]
    pub fn current_rejection_of_flood(&self, tenant: TenantId) -> Option<Decision> {
        self.rejections.current_of_flood(tenant, Instant::now())
    }

    /// Counts a rejected request of the tenant. At most once a second it returns the number of rejections since it last
    /// returned one, so that a flood of requests is not a flood of log records.
    pub fn count_rejection(&self, tenant: TenantId) -> Option<u64> {
        self.rejections.count(tenant, Instant::now())
    }
}

impl Fallback {
    fn take(&self, tenant: TenantId, plan: Plan, error: &RedisError) -> Decision {
        self.switch(true, || RateLimiterFellBack { error }.emit(&self.metrics));
        self.buckets.take(tenant, plan)
    }

    /// Ends the fallback, and releases the memory of full buckets. Returns whether it was active.
    fn end(&self) -> bool {
        let ends = self.switch(false, || RateLimiterRestored {}.emit(&self.metrics));
        if ends {
            self.buckets.remove_full();
        }
        ends
    }

    /// Begins or ends the fallback. Returns whether that is a change, and emits its event under the lock, so that the
    /// metric matches the state.
    fn switch(&self, to: bool, emit: impl FnOnce()) -> bool {
        let mut is_active = self.is_active.lock().unwrap_or_else(PoisonError::into_inner);
        let is_change = std::mem::replace(&mut *is_active, to) != to;
        if is_change {
            emit();
        }
        is_change
    }
}
