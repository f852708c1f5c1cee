use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glasshouse_domain::id::TenantId;

use super::Decision;

/// How often one tenant's refusals are told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// How many tenants are remembered before those are forgotten of whom nothing needs to be known any more.
const MANY: usize = 1000;

/// The tenants that this process has just refused.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<TenantId, Refusal>>);

#[derive(Clone, Copy, Debug)]
struct Refusal {
    /// What was decided.
    decision: Decision,
    /// When there may be a token again.
    until: Instant,
    /// When it was last told, and how many refusals were not told yet.
    told: Option<Instant>,
    untold: u64,
}

impl Refusals {
    /// Remembers a refusal.
    pub(super) fn add(&self, tenant: TenantId, decision: Decision, now: Instant) {
        let until = now + decision.reset;
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= MANY {
            refusals.retain(|_, refusal| refusal.matters(now));
        }
        let refusal = refusals.entry(tenant).or_insert(Refusal { decision, until, told: None, untold: 0 });
        (refusal.decision, refusal.until) = (decision, until);
    }

    /// What became of the tenant's last request, if nothing else can become of one now.
    pub(super) fn standing(&self, tenant: TenantId, now: Instant) -> Option<Decision> {
        let refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = refusals.get(&tenant).filter(|refusal| refusal.until > now)?;
        Some(Decision { reset: refusal.until - now, ..refusal.decision })
    }

    /// Counts a refused request. Once in a while, how many there were since this was last asked with an answer.
    pub(super) fn count(&self, tenant: TenantId, now: Instant) -> Option<u64> {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = refusals.get_mut(&tenant)?;
        refusal.untold += 1;
        if refusal.was_just_told(now) {
            return None;
        }
        refusal.told = Some(now);
        Some(std::mem::take(&mut refusal.untold))
    }
}

impl Refusal {
    fn was_just_told(&self, now: Instant) -> bool {
        self.told.is_some_and(|told| now < told + TOLD_EVERY)
    }

    fn matters(&self, now: Instant) -> bool {
        self.until > now || self.was_just_told(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Decision =
        Decision { allowed: false, limit: 40, remaining: 0, reset: Duration::from_millis(50) };

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_refusal_stands_until_there_may_be_a_token() {
        let (refusals, tenant, start) = (Refusals::default(), TenantId::new(), Instant::now());
        assert_eq!(refusals.standing(tenant, start), None);
        refusals.add(tenant, REFUSED, start);
        let standing = refusals.standing(tenant, after(start, 20)).unwrap();
        assert_eq!(standing, Decision { reset: Duration::from_millis(30), ..REFUSED });
        assert_eq!(refusals.standing(tenant, after(start, 50)), None);
        assert_eq!(refusals.standing(TenantId::new(), start), None, "another tenant's");
    }

    #[test]
    fn refusals_are_told_once_a_second_and_none_is_left_out() {
        let (refusals, tenant, start) = (Refusals::default(), TenantId::new(), Instant::now());
        let told: Vec<_> = (0..=10)
            .filter_map(|tenths| {
                let now = after(start, 200 * tenths);
                refusals.add(tenant, REFUSED, now);
                refusals.count(tenant, now)
            })
            .collect();
        assert_eq!(told, [1, 5, 5], "after 0, 1 and 2 seconds");
    }

    #[test]
    fn tenants_who_do_not_matter_any_more_are_forgotten() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let noisy: Vec<_> = (0..MANY).map(|_| TenantId::new()).collect();
        noisy.iter().for_each(|tenant| refusals.add(*tenant, REFUSED, start));
        let last = TenantId::new();
        refusals.add(last, REFUSED, after(start, 60));
        assert_eq!(refusals.0.lock().unwrap().len(), 1);
        assert!(refusals.standing(last, after(start, 70)).is_some());
    }
}
