//! The limit of in-flight requests, which adapts to what the database can serve.
//!
//! With a limit that is too high, an overloaded service is busy with requests that wait for each other, and responds to most
//! of them too late. With one that is too low, it rejects what it could serve, for example while requests wait for a slow
//! payment gateway and the database is idle. So the limit is raised step by step while requests use it, and lowered by a
//! ratio while transactions queue for the database: additive increase, multiplicative decrease, as in TCP (Chiu and Jain,
//! 1989).
//!
//! Requests that hash a password, or wait for their turn to, have a limit of their own ([`HashingQueue`]) and do not count:
//! a flood of logins would take the places of all others.
//!
//! The sign of a queue is that of CoDel (RFC 8289, section 3): the shortest wait of an interval. A burst makes some
//! transactions wait; in a standing queue all of them do, and it only adds latency.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use glasshouse_domain::id::TenantId;
use glasshouse_infra::db::QueueDelay;
use glasshouse_infra::passwords::HashingQueue;
use glasshouse_telemetry::service::metrics::AdmissionMetrics;

use super::tenant_shares::TenantShares;

/// The time between two adjustments: the interval of CoDel, longer than a transaction.
const INTERVAL: Duration = Duration::from_millis(100);

/// How many steps lead from zero to the highest limit: 6 seconds.
const STEPS: usize = 64;

/// The time between two reports of rejected requests.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The bounds of the limit.
#[derive(Clone, Copy, Debug)]
pub struct ConcurrencyBounds {
    /// The lowest limit: enough to use all connections to the database.
    pub min: usize,
    /// The highest limit, which is also the first.
    pub max: usize,
    /// The shortest wait for the database that is a standing queue.
    pub queue_target: Duration,
}

/// The in-flight requests of the process, and their limit. Clones share it.
#[derive(Clone, Debug)]
pub struct Concurrency(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: ConcurrencyBounds,
    queue_delay: QueueDelay,
    hashing: HashingQueue,
    metrics: AdmissionMetrics,
    /// All requests in flight, with those in the queue for password hashes.
    in_flight: AtomicUsize,
    limit: AtomicUsize,
    tenants: TenantShares,
    /// The highest number of in-flight requests since the last adjustment.
    peak: AtomicUsize,
    next_adjustment: Mutex<Instant>,
    rejections: Mutex<Rejections>,
}

/// The rejected requests that no log record has reported.
#[derive(Debug, Default)]
struct Rejections {
    unreported: u64,
    last_report: Option<Instant>,
}

/// A request that is in flight, until this is dropped.
#[derive(Debug)]
pub struct InFlight(Concurrency);

/// A request of a tenant that is in flight, until this is dropped.
#[derive(Debug)]
pub struct InFlightOfTenant(Concurrency, TenantId);

impl Concurrency {
    /// A limit that adapts to `queue_delay`, of requests that are not in the queue `hashing`.
    #[must_use]
    pub fn new(
        bounds: ConcurrencyBounds,
        queue_delay: QueueDelay,
        hashing: HashingQueue,
        metrics: AdmissionMetrics,
    ) -> Self {
        metrics.set_concurrency_limit(bounds.max);
        Self(Arc::new(Inner {
            bounds,
            queue_delay,
            hashing,
            metrics,
            in_flight: AtomicUsize::new(0),
            limit: AtomicUsize::new(bounds.max),
            tenants: TenantShares::default(),
            peak: AtomicUsize::new(0),
            next_adjustment: Mutex::new(Instant::now() + INTERVAL),
            rejections: Mutex::default(),
        }))
    }

    /// Whether the next request will be rejected.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.adjust_if_due(Instant::now());
        self.0.taken() >= self.0.limit.load(Ordering::Relaxed)
    }

    /// Takes a place; `None` if there is none.
    #[must_use]
    pub fn enter(&self) -> Option<InFlight> {
        let limit = self.0.limit.load(Ordering::Relaxed);
        let has_room = |in_flight| (self.0.counted(in_flight) < limit).then_some(in_flight + 1);
        let before = self.0.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, has_room).ok()?;
        self.0.peak.fetch_max(self.0.counted(before) + 1, Ordering::Relaxed);
        Some(InFlight(self.clone()))
    }

    /// Whether a tenant may be over its share: it cannot while less than half of the places are taken.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.0.taken() * 2 >= self.0.limit.load(Ordering::Relaxed)
    }

    /// Whether the next request of this tenant will be rejected, because the tenant has its share of the places.
    #[must_use]
    pub fn is_over_share(&self, tenant: TenantId) -> bool {
        !self.0.tenants.permits(tenant, self.0.free())
    }

    /// Takes a place of a tenant's share for a request that has taken one of the limit; `None` if there is none.
    #[must_use]
    pub fn enter_as(&self, tenant: TenantId) -> Option<InFlightOfTenant> {
        // The place that the request has taken was free for it.
        let free = self.0.free() + 1;
        self.0.tenants.take(tenant, free).then(|| InFlightOfTenant(self.clone(), tenant))
    }

    /// Counts a rejected request. At most once a second it returns the number of rejections since it last returned one, so
    /// that a flood of requests is not a flood of log records.
    #[must_use]
    pub fn count_rejection(&self, now: Instant) -> Option<u64> {
        let mut rejections = self.0.rejections.lock().unwrap_or_else(PoisonError::into_inner);
        rejections.unreported += 1;
        if rejections.last_report.is_some_and(|last| now < last + REPORT_INTERVAL) {
            return None;
        }
        rejections.last_report = Some(now);
        Some(std::mem::take(&mut rejections.unreported))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for InFlightOfTenant {
    fn drop(&mut self) {
        self.0.0.tenants.give_back(self.1);
    }
}

impl Inner {
    /// How many of the requests in flight count.
    fn counted(&self, in_flight: usize) -> usize {
        in_flight.saturating_sub(self.hashing.occupied())
    }

    /// The number of places that requests have taken.
    fn taken(&self) -> usize {
        self.counted(self.in_flight.load(Ordering::Relaxed))
    }

    /// The number of places that no request has taken.
    fn free(&self) -> usize {
        self.limit.load(Ordering::Relaxed).saturating_sub(self.taken())
    }

    /// Adjusts the limit once in an interval. It needs no timer: without requests it does not matter.
    fn adjust_if_due(&self, now: Instant) {
        // Another thread adjusts it.
        let Ok(mut next) = self.next_adjustment.try_lock() else { return };
        if now < *next {
            return;
        }
        *next = now + INTERVAL;
        let in_flight = self.taken();
        let peak = self.peak.swap(in_flight, Ordering::Relaxed).max(in_flight);
        let is_queueing = self.queue_delay.take_shortest() > self.bounds.queue_target;
        let limit = self.bounds.next(self.limit.load(Ordering::Relaxed), peak, is_queueing);
        self.limit.store(limit, Ordering::Relaxed);
        self.metrics.set_concurrency_limit(limit);
    }
}

impl ConcurrencyBounds {
    /// The limit after one of `limit`, of which `peak` places were used.
    fn next(&self, limit: usize, peak: usize, is_queueing: bool) -> usize {
        let next = if is_queueing {
            limit.min(peak) / 4 * 3
        } else if peak * 2 >= limit {
            limit + (self.max / STEPS).max(1)
        } else {
            limit
        };
        next.max(self.min).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: ConcurrencyBounds =
        ConcurrencyBounds { min: 20, max: 512, queue_target: Duration::from_millis(20) };

    #[test]
    fn a_standing_queue_lowers_the_limit_below_what_is_used() {
        assert_eq!(BOUNDS.next(512, 512, true), 384);
        assert_eq!(BOUNDS.next(512, 100, true), 75);
        assert_eq!(BOUNDS.next(24, 24, true), 20, "the database stays busy");
        assert_eq!(BOUNDS.next(20, 3, true), 20);
        let lowered = std::iter::successors(Some(512), |limit| Some(BOUNDS.next(*limit, *limit, true)));
        assert!(lowered.take_while(|limit| *limit > 20).count() <= 15, "within 1.5 seconds");
    }

    #[test]
    fn the_limit_rises_while_it_is_used() {
        assert_eq!(BOUNDS.next(20, 20, false), 28);
        assert_eq!(BOUNDS.next(20, 10, false), 28);
        assert_eq!(BOUNDS.next(20, 9, false), 20, "there is room");
        assert_eq!(BOUNDS.next(510, 510, false), 512);
        let raised = std::iter::successors(Some(20), |limit| Some(BOUNDS.next(*limit, *limit, false)));
        assert!(raised.take_while(|limit| *limit < 512).count() <= STEPS);
        let few = ConcurrencyBounds { min: 2, max: 3, ..BOUNDS };
        assert_eq!((few.next(2, 2, false), few.next(3, 3, false)), (3, 3));
    }

    #[test]
    fn the_highest_limit_may_be_lower_than_the_lowest() {
        let one = ConcurrencyBounds { min: 20, max: 1, ..BOUNDS };
        assert_eq!((one.next(1, 1, true), one.next(1, 1, false)), (1, 1));
    }
}
