//! Token buckets in the memory of this process.

use std::num::NonZeroU32;
use std::time::Duration;

use glasshouse_domain::id::TenantId;
use glasshouse_domain::tenant::Plan;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::DefaultKeyedStateStore;

use super::{Decision, Quota, Quotas};

/// One bucket for each tenant of a plan.
type TenantBuckets = governor::RateLimiter<
    TenantId,
    DefaultKeyedStateStore<TenantId>,
    DefaultClock,
    StateInformationMiddleware,
>;

/// The buckets of all tenants, by plan.
#[derive(Debug)]
pub(super) struct InProcessLimiter {
    free: TenantBuckets,
    pro: TenantBuckets,
    enterprise: TenantBuckets,
}

impl InProcessLimiter {
    /// Every tenant begins with a full bucket.
    pub(super) fn new(quotas: &Quotas) -> Self {
        let buckets = |quota| governor::RateLimiter::keyed(as_governor(quota)).with_middleware();
        Self { free: buckets(quotas.free), pro: buckets(quotas.pro), enterprise: buckets(quotas.enterprise) }
    }

    pub(super) fn take(&self, tenant: TenantId, plan: Plan) -> Decision {
        let buckets = match plan {
            Plan::Free => &self.free,
            Plan::Pro => &self.pro,
            Plan::Enterprise => &self.enterprise,
        };
        match buckets.check_key(&tenant) {
            Ok(state) => allowed(&state),
            Err(rejected) => Decision {
                allowed: false,
                limit: rejected.quota().burst_size().get(),
                remaining: 0,
                reset: rejected.wait_time_from(DefaultClock::default().now()),
            },
        }
    }
}

fn allowed(state: &StateSnapshot) -> Decision {
    let (limit, remaining) = (state.quota().burst_size().get(), state.remaining_burst_capacity());
    let missing = limit.saturating_sub(remaining);
    Decision { allowed: true, limit, remaining, reset: state.quota().replenish_interval() * missing }
}

fn as_governor(quota: Quota) -> governor::Quota {
    let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    // `Quota::per_second` would set the burst to the rate.
    governor::Quota::with_period(Duration::from_secs(1) / at_least_one(quota.per_second).get())
        .unwrap_or_else(|| governor::Quota::per_second(NonZeroU32::MIN))
        .allow_burst(at_least_one(quota.burst))
}
