//! Token buckets in Redis, shared by all processes.

use std::time::Duration;

use deadpool_redis::redis::Script;
use glasshouse_domain::id::TenantId;
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::user::SessionGeneration;

use super::{Decision, EarlyDecision, Quotas};
use crate::redis::{Redis, RedisError, Request};

/// The buckets of all tenants in Redis. Lua scripts take a token atomically.
#[derive(Debug)]
pub(super) struct RedisLimiter {
    redis: Redis,
    quotas: Quotas,
    take: Script,
    read_and_take: Script,
}

/// What a script returns of a bucket: whether there was a token, how many are left, and milliseconds.
type Taken = (bool, u32, u64);

impl RedisLimiter {
    pub(super) fn new(redis: Redis, quotas: Quotas) -> Self {
        let take = Script::new(concat!(include_str!("token_bucket.lua"), include_str!("take.lua")));
        let read_and_take =
            Script::new(concat!(include_str!("token_bucket.lua"), include_str!("read_and_take.lua")));
        Self { redis, quotas, take, read_and_take }
    }

    pub(super) async fn take(&self, tenant: TenantId, plan: Plan) -> Result<Decision, RedisError> {
        let quota = self.quotas.of(plan);
        let mut call = self.take.key(bucket(tenant));
        call.arg(quota.per_second).arg(quota.burst);
        let taken = self.redis.call("EVALSHA", Request::Script(&call)).await?;
        Ok(self.decision(plan, taken))
    }

    /// Reads the cached entry of a caller, and takes a token by the plan in it.
    pub(super) async fn read_and_take(
        &self,
        entry: &str,
        tenant: TenantId,
        sessions: SessionGeneration,
    ) -> Result<(Option<Vec<u8>>, Option<EarlyDecision>), RedisError> {
        let mut call = self.read_and_take.key(entry);
        call.key(bucket(tenant)).arg(sessions.get());
        for plan in Plan::ALL {
            let quota = self.quotas.of(*plan);
            call.arg(plan.as_str()).arg(quota.per_second).arg(quota.burst);
        }
        let (entry, taken): (Option<Vec<u8>>, Option<(String, Taken)>) =
            self.redis.call("EVALSHA", Request::Script(&call)).await?;
        // The script returns one of the plans that it was given.
        let early = taken.and_then(|(plan, taken)| {
            let plan = plan.parse().ok()?;
            Some(EarlyDecision { plan, decision: self.decision(plan, taken) })
        });
        Ok((entry, early))
    }

    fn decision(&self, plan: Plan, (allowed, remaining, reset_ms): Taken) -> Decision {
        let limit = self.quotas.of(plan).burst;
        Decision { allowed, limit, remaining, reset: Duration::from_millis(reset_ms) }
    }
}

fn bucket(tenant: TenantId) -> String {
    format!("glasshouse:rate_limit:{tenant}")
}
