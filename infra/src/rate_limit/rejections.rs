//! The recent rejections of each tenant: answers further requests without the bucket, and limits how often rejections
//! are reported.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glasshouse_domain::id::TenantId;

use super::Decision;

/// The interval between two reports about one tenant.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The number of rejections since the last report above which those of a tenant are a flood.
const FLOOD: u64 = 20;

/// The number of tenants above which expired entries are removed.
const CLEANUP_THRESHOLD: usize = 1000;

/// The tenants whose requests this process has recently rejected.
#[derive(Debug, Default)]
pub(super) struct Rejections(Mutex<HashMap<TenantId, Rejection>>);

#[derive(Clone, Copy, Debug)]
struct Rejection {
    decision: Decision,
    /// When the bucket may have a token again.
    until: Instant,
    last_report: Option<Instant>,
    /// The number of rejected requests since the last report.
    unreported: u64,
}

impl Rejections {
    /// Records a rejection.
    pub(super) fn insert(&self, tenant: TenantId, decision: Decision, now: Instant) {
        let until = now + decision.reset;
        let mut rejections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rejections.len() >= CLEANUP_THRESHOLD {
            rejections.retain(|_, rejection| !rejection.is_expired(now));
        }
        let rejection = rejections.entry(tenant).or_insert(Rejection {
            decision,
            until,
            last_report: None,
            unreported: 0,
        });
        (rejection.decision, rejection.until) = (decision, until);
    }

    /// Forgets all rejections.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The rejection of the tenant's last request, if the bucket cannot have a token yet.
    pub(super) fn current(&self, tenant: TenantId, now: Instant) -> Option<Decision> {
        self.lasting(tenant, now).map(|rejection| rejection.at(now))
    }

    /// The same, if this second's rejections of the tenant are a flood.
    pub(super) fn current_of_flood(&self, tenant: TenantId, now: Instant) -> Option<Decision> {
        let rejection = self.lasting(tenant, now).filter(|rejection| rejection.unreported >= FLOOD)?;
        Some(rejection.at(now))
    }

    fn lasting(&self, tenant: TenantId, now: Instant) -> Option<Rejection> {
        let rejections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rejections.get(&tenant).filter(|rejection| rejection.until > now).copied()
    }

    /// Counts a rejected request. Returns the number of unreported rejections when a report is due.
    pub(super) fn count(&self, tenant: TenantId, now: Instant) -> Option<u64> {
        let mut rejections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rejection = rejections.get_mut(&tenant)?;
        rejection.unreported += 1;
        if rejection.was_just_reported(now) {
            return None;
        }
        rejection.last_report = Some(now);
        Some(std::mem::take(&mut rejection.unreported))
    }
}

impl Rejection {
    /// The decision about a request that comes before the bucket may have a token.
    fn at(&self, now: Instant) -> Decision {
        Decision { reset: self.until.saturating_duration_since(now), ..self.decision }
    }

    fn was_just_reported(&self, now: Instant) -> bool {
        self.last_report.is_some_and(|last| now < last + REPORT_INTERVAL)
    }

    fn is_expired(&self, now: Instant) -> bool {
        self.until <= now && !self.was_just_reported(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REJECTED: Decision =
        Decision { allowed: false, limit: 40, remaining: 0, reset: Duration::from_millis(50) };

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_rejection_expires_when_the_bucket_may_have_a_token() {
        let (rejections, tenant, start) = (Rejections::default(), TenantId::new(), Instant::now());
        assert_eq!(rejections.current(tenant, start), None);
        rejections.insert(tenant, REJECTED, start);
        let current = rejections.current(tenant, after(start, 20)).unwrap();
        assert_eq!(current, Decision { reset: Duration::from_millis(30), ..REJECTED });
        assert_eq!(rejections.current(tenant, after(start, 50)), None);
        assert_eq!(rejections.current(TenantId::new(), start), None, "another tenant's");
    }

    #[test]
    fn rejections_are_reported_once_a_second_with_their_number() {
        let (rejections, tenant, start) = (Rejections::default(), TenantId::new(), Instant::now());
        let reported: Vec<_> = (0..=10)
            .filter_map(|tenths| {
                let now = after(start, 200 * tenths);
                rejections.insert(tenant, REJECTED, now);
                rejections.count(tenant, now)
            })
            .collect();
        assert_eq!(reported, [1, 5, 5], "after 0, 1 and 2 seconds");
    }

    #[test]
    fn the_first_rejections_of_a_second_are_no_flood() {
        let (rejections, tenant, start) = (Rejections::default(), TenantId::new(), Instant::now());
        let lasting = Decision { reset: Duration::from_secs(10), ..REJECTED };
        rejections.insert(tenant, lasting, start);
        let observed = |now| {
            let mut requests = 0..100;
            requests.position(|_| {
                let is_flood = rejections.current_of_flood(tenant, now).is_some();
                rejections.count(tenant, now);
                is_flood
            })
        };
        // The first one is reported by itself.
        assert_eq!(observed(start), Some(21));
        assert_eq!(observed(after(start, 900)), Some(0));
        let flood = rejections.current_of_flood(tenant, after(start, 900)).unwrap();
        assert_eq!(flood, Decision { reset: Duration::from_millis(9100), ..lasting });
        rejections.count(tenant, after(start, 1000));
        assert_eq!(observed(after(start, 1000)), Some(20), "the next second");
        assert_eq!(
            rejections.current_of_flood(tenant, after(start, 10_000)),
            None,
            "the bucket may have a token"
        );
    }

    #[test]
    fn expired_entries_are_removed() {
        let (rejections, start) = (Rejections::default(), Instant::now());
        let noisy: Vec<_> = (0..CLEANUP_THRESHOLD).map(|_| TenantId::new()).collect();
        noisy.iter().for_each(|tenant| rejections.insert(*tenant, REJECTED, start));
        let last = TenantId::new();
        rejections.insert(last, REJECTED, after(start, 60));
        assert_eq!(rejections.0.lock().unwrap().len(), 1);
        assert!(rejections.current(last, after(start, 70)).is_some());
    }
}
