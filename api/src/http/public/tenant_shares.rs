//! The shares of tenants in the places of the concurrency limit, so that the flood of one leaves room for the others.
//!
//! A tenant may take a place if it holds fewer than are free: one tenant alone gets half of the places, two get a third
//! each, and there is always room for the first requests of another. These are the dynamic thresholds of shared-memory
//! switches (Choudhury and Hahne, 1998). Nothing needs to be known about who is active.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use glasshouse_domain::id::TenantId;

/// The number of in-flight requests of each tenant that has any.
#[derive(Debug, Default)]
pub(super) struct TenantShares(Mutex<HashMap<TenantId, usize>>);

impl TenantShares {
    /// Whether a tenant may have another request in flight while this number of places is free.
    pub(super) fn permits(&self, tenant: TenantId, free: usize) -> bool {
        is_permitted(self.lock().get(&tenant).copied().unwrap_or_default(), free)
    }

    /// Takes a place for a tenant, if it may have another one. The caller must give it back.
    pub(super) fn take(&self, tenant: TenantId, free: usize) -> bool {
        let mut shares = self.lock();
        let held = shares.get(&tenant).copied().unwrap_or_default();
        if !is_permitted(held, free) {
            return false;
        }
        shares.insert(tenant, held + 1);
        true
    }

    /// Gives a place of a tenant back.
    pub(super) fn give_back(&self, tenant: TenantId) {
        let mut shares = self.lock();
        match shares.get_mut(&tenant) {
            Some(held) if *held > 1 => *held -= 1,
            _ => drop(shares.remove(&tenant)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        // Each change is a single assignment, so a poisoned lock still holds valid numbers.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first request of a tenant needs no more than a place.
const fn is_permitted(held: usize, free: usize) -> bool {
    held == 0 || held < free
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places that each tenant gets of `limit`, if all of them always want one more.
    fn shares(limit: usize, tenants: usize) -> Vec<usize> {
        let (shares, mut taken) = (TenantShares::default(), vec![0; tenants]);
        let ids: Vec<_> = (0..tenants).map(|_| TenantId::new()).collect();
        for _ in 0..limit {
            for (id, taken_by_it) in ids.iter().zip(0..) {
                let free = limit - taken.iter().sum::<usize>();
                if free > 0 && shares.take(*id, free) {
                    taken[taken_by_it] += 1;
                }
            }
        }
        taken
    }

    #[test]
    fn a_tenant_takes_as_many_places_as_it_leaves_free() {
        assert_eq!(shares(20, 1), [10]);
        assert_eq!(shares(512, 1), [256]);
        assert_eq!(shares(512, 2), [171, 171]);
        assert_eq!(shares(20, 3), [5, 5, 5]);
        assert_eq!(shares(1, 1), [1], "the only place is for anyone");
        assert_eq!(shares(4, 8), [1, 1, 1, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn places_are_given_back() {
        let (shares, tenant) = (TenantShares::default(), TenantId::new());
        assert!(shares.take(tenant, 2) && !shares.take(tenant, 1) && !shares.permits(tenant, 1));
        shares.give_back(tenant);
        assert!(shares.permits(tenant, 1));
        assert!(shares.lock().is_empty(), "what is remembered is bounded by the requests in flight");
    }

    #[test]
    fn the_first_request_of_another_tenant_finds_room() {
        let (shares, hog, other) = (TenantShares::default(), TenantId::new(), TenantId::new());
        let limit = 20;
        let taken = (0..limit).take_while(|taken| shares.take(hog, limit - taken)).count();
        assert!(shares.take(other, limit - taken));
    }
}
