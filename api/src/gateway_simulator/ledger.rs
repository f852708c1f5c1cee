use std::collections::{HashMap, VecDeque};

use glasshouse_infra::payment_gateway::wire::{Charge, ChargeRequest, ChargeStatus};

/// All charges that the gateway ever saw, by the caller's key. The first outcome for a key stays.
#[derive(Debug)]
pub(super) struct Ledger {
    charges: HashMap<String, Charge>,
    /// Oldest first, so that the oldest can be forgotten.
    order: VecDeque<String>,
    capacity: usize,
}

impl Ledger {
    /// A ledger that forgets the oldest charges beyond `capacity`, so that a long load test cannot fill the
    /// memory. A real gateway would not forget.
    pub(super) fn new(capacity: usize) -> Self {
        Self { charges: HashMap::new(), order: VecDeque::new(), capacity }
    }

    /// Charges once: a key that was seen before keeps its outcome.
    pub(super) fn charge(&mut self, key: &str, request: ChargeRequest, declines: bool) -> Charge {
        let (status, reason) = match declines {
            true => (ChargeStatus::Declined, Some("insufficient_funds")),
            false => (ChargeStatus::Succeeded, None),
        };
        self.first_outcome(key, request, status, reason)
    }

    /// Makes sure that a key which was not charged never will be.
    pub(super) fn void(&mut self, key: &str) -> Charge {
        let nothing = ChargeRequest { amount_minor: 0, currency: String::new() };
        self.first_outcome(key, nothing, ChargeStatus::Declined, Some("voided"))
    }

    /// Gives the money back; the second time changes nothing. `None` if there is nothing to give back.
    pub(super) fn refund(&mut self, key: &str) -> Option<Charge> {
        let charge = self.charges.get_mut(key)?;
        if charge.status == ChargeStatus::Declined {
            return None;
        }
        charge.status = ChargeStatus::Refunded;
        Some(charge.clone())
    }

    /// What became of a key.
    pub(super) fn find(&self, key: &str) -> Option<Charge> {
        self.charges.get(key).cloned()
    }

    /// How many charges are known, and the newest of them.
    pub(super) fn newest(&self, at_most: usize) -> (usize, Vec<Charge>) {
        let newest = self.order.iter().rev().take(at_most).filter_map(|key| self.find(key));
        (self.charges.len(), newest.collect())
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
    fn the_first_outcome_of_a_key_stays() {
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
    fn a_refund_happens_once_and_only_where_money_was_taken() {
        let mut ledger = Ledger::new(10);
        assert_eq!(ledger.refund("a"), None);
        ledger.charge("a", dollars(5), false);
        assert_eq!(ledger.refund("a").map(|charge| charge.status), Some(ChargeStatus::Refunded));
        assert_eq!(ledger.refund("a").map(|charge| charge.status), Some(ChargeStatus::Refunded));
    }

    #[test]
    fn the_oldest_charges_are_forgotten_beyond_the_capacity() {
        let mut ledger = Ledger::new(2);
        for key in ["a", "b", "c"] {
            ledger.charge(key, dollars(1), false);
        }
        assert_eq!(ledger.find("a"), None);
        assert_eq!(ledger.newest(1).0, 2);
    }
}
