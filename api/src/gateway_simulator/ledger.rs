//! The charges of the simulator.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use glasshouse_infra::payment_gateway::wire::{Charge, ChargeRequest, ChargeStatus, LedgerPage};

/// All charges by idempotency key. The first outcome of a key is final.
#[derive(Debug)]
pub(super) struct Ledger {
    charges: BTreeMap<String, Charge>,
    /// The keys, oldest first, for eviction.
    order: VecDeque<String>,
    capacity: usize,
    evicted: u64,
}

impl Ledger {
    /// A ledger that evicts the oldest charges above `capacity`, so that a long load test does not exhaust the
    /// memory. A real gateway evicts nothing.
    pub(super) fn new(capacity: usize) -> Self {
        Self { charges: BTreeMap::new(), order: VecDeque::new(), capacity, evicted: 0 }
    }

    /// Charges once: a known key keeps its outcome.
    pub(super) fn charge(&mut self, key: &str, request: ChargeRequest, declines: bool) -> Charge {
        let (status, reason) = match declines {
            true => (ChargeStatus::Declined, Some("insufficient_funds")),
            false => (ChargeStatus::Succeeded, None),
        };
        self.first_outcome(key, request, status, reason)
    }

    /// Prevents a later charge of an unknown key; a known key keeps its outcome.
    pub(super) fn void(&mut self, key: &str) -> Charge {
        let nothing = ChargeRequest { amount_minor: 0, currency: String::new() };
        self.first_outcome(key, nothing, ChargeStatus::Declined, Some("voided"))
    }

    /// Refunds a charge. Idempotent. `None` if the key was not charged.
    pub(super) fn refund(&mut self, key: &str) -> Option<Charge> {
        let charge = self.charges.get_mut(key)?;
        if charge.status == ChargeStatus::Declined {
            return None;
        }
        charge.status = ChargeStatus::Refunded;
        Some(charge.clone())
    }

    /// The charge of a key.
    pub(super) fn find(&self, key: &str) -> Option<Charge> {
        self.charges.get(key).cloned()
    }

    /// The number of charges, and the newest of them.
    pub(super) fn newest(&self, at_most: usize) -> (usize, Vec<Charge>) {
        let newest = self.order.iter().rev().take(at_most).filter_map(|key| self.find(key));
        (self.charges.len(), newest.collect())
    }

    /// The charges whose keys come after one, in the order of their keys.
    pub(super) fn page(&self, after: &str, at_most: usize) -> LedgerPage {
        let charges = self.charges.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
        let charges = charges.take(at_most).map(|(_, charge)| charge.clone());
        LedgerPage { charges: charges.collect(), evicted: self.evicted }
    }

    fn first_outcome(
        &mut self,
        key: &str,
        request: ChargeRequest,
        status: ChargeStatus,
        decline_reason: Option<&str>,
    ) -> Charge {
        if let Some(charge) = self.charges.get(key) {
            return charge.clone();
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.charges.remove(&oldest);
            self.evicted += 1;
        }
        let charge = Charge {
            key: key.to_owned(),
            amount_minor: request.amount_minor,
            currency: request.currency,
            status,
            decline_reason: decline_reason.map(str::to_owned),
        };
        self.order.push_back(key.to_owned());
        self.charges.insert(key.to_owned(), charge.clone());
        charge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(amount_minor: i64) -> ChargeRequest {
        ChargeRequest { amount_minor, currency: "USD".to_owned() }
    }

    #[test]
    fn the_first_outcome_of_a_key_is_final() {
        let mut ledger = Ledger::new(10);
        let first = ledger.charge("a", dollars(5), false);
        assert_eq!(ledger.charge("a", dollars(5), true), first);
        assert_eq!(ledger.void("a"), first);
        assert_eq!(ledger.newest(10), (1, vec![first]));
    }

    #[test]
    fn a_voided_key_is_never_charged() {
        let mut ledger = Ledger::new(10);
        assert_eq!(ledger.void("a").status, ChargeStatus::Declined);
        assert_eq!(ledger.charge("a", dollars(5), false).status, ChargeStatus::Declined);
        assert_eq!(ledger.refund("a"), None);
    }

    #[test]
    fn only_a_successful_charge_is_refunded_and_only_once() {
        let mut ledger = Ledger::new(10);
        assert_eq!(ledger.refund("a"), None);
        ledger.charge("a", dollars(5), false);
        assert_eq!(ledger.refund("a").map(|charge| charge.status), Some(ChargeStatus::Refunded));
        assert_eq!(ledger.refund("a").map(|charge| charge.status), Some(ChargeStatus::Refunded));
    }

    #[test]
    fn the_oldest_charges_above_the_capacity_are_evicted() {
        let mut ledger = Ledger::new(2);
        for key in ["a", "b", "c"] {
            ledger.charge(key, dollars(1), false);
        }
        assert_eq!(ledger.find("a"), None);
        assert_eq!(ledger.newest(1).0, 2);
        assert_eq!(ledger.page("", 10).evicted, 1);
    }

    #[test]
    fn pages_follow_each_other_in_the_order_of_the_keys() {
        let mut ledger = Ledger::new(10);
        for key in ["c", "a", "b"] {
            ledger.charge(key, dollars(1), false);
        }
        let keys = |page: LedgerPage| page.charges.into_iter().map(|charge| charge.key).collect::<Vec<_>>();
        assert_eq!(keys(ledger.page("", 2)), ["a", "b"]);
        assert_eq!(keys(ledger.page("b", 2)), ["c"]);
    }
}
