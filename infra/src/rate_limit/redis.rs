//! Token buckets in Redis, shared by all processes.

use std::time::Duration;

use deadpool_redis::redis::Script;
use glasshouse_domain::id::TenantId;
use glasshouse_domain::tenant::Plan;

use super::{Decision, Quotas};
use crate::redis::{Redis, RedisError, Request};

/// The buckets of all tenants in Redis. A Lua script takes a token atomically.
#[derive(Debug)]
pub(super) struct RedisLimiter {
    redis: Redis,
    quotas: Quotas,
    script: Script,
}

impl RedisLimiter {
    pub(super) fn new(redis: Redis, quotas: Quotas) -> Self {
        Self { redis, quotas, script: Script::new(include_str!("token_bucket.lua")) }
    }

    pub(super) async fn take(&self, tenant: TenantId, plan: Plan) -> Result<Decision, RedisError> {
        let quota = self.quotas.of(plan);
        let mut call = self.script.key(format!("glasshouse:rate_limit:{tenant}"));
        call.arg(quota.per_second).arg(quota.burst);
        let (allowed, remaining, reset_ms): (bool, u32, u64) =
            self.redis.call("EVALSHA", Request::Script(&call)).await?;
        Ok(Decision { allowed, limit: quota.burst, remaining, reset: Duration::from_millis(reset_ms) })
    }
}
