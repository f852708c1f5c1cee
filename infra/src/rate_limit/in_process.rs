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
    /// Every tenant begins with a full bucket, and has one of `processes` equal shares of the quota.
    pub(super) fn new(quotas: &Quotas, processes: NonZeroU32) -> Self {
        let buckets = |quota| governor::RateLimiter::keyed(as_governor(quota, processes)).with_middleware();
        Self { free: buckets(quotas.free), pro: buckets(quotas.pro), enterprise: buckets(quotas.enterprise) }
    }

    /// Removes full buckets, which equal missing ones.
    pub(super) fn remove_full(&self) {
        for buckets in [&self.free, &self.pro, &self.enterprise] {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
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

/// One of `processes` equal shares of a quota. A bucket holds at least one token.
fn as_governor(quota: Quota, processes: NonZeroU32) -> governor::Quota {
    let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    // `Quota::per_second` would set the burst to the rate, and allows no fractions of it.
    let interval = Duration::from_secs(processes.get().into()) / at_least_one(quota.per_second).get();
    governor::Quota::with_period(interval)
        .unwrap_or_else(|| governor::Quota::per_second(NonZeroU32::MIN))
        .allow_burst(at_least_one(quota.burst / processes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_share_a_quota_equally() {
        for (per_second, burst, processes, interval_ms, share) in
            [(20, 40, 1, 50, 40), (20, 40, 4, 200, 10), (1, 1, 3, 3000, 1), (1, 100, 30, 30_000, 3)]
        {
            let quota = as_governor(Quota { per_second, burst }, NonZeroU32::new(processes).unwrap());
            assert_eq!(quota.replenish_interval(), Duration::from_millis(interval_ms));
            assert_eq!(quota.burst_size().get(), share);
        }
    }
}
