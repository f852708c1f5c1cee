//! Settlement: what the gateway's final word on a charge means for the order, the payment and the stock.

use crate::id::OrderId;
use crate::order::OrderState;
use crate::outbox::OutboxEvent;
use crate::payment::{ChargeOutcome, PaymentState};

/// What to change when the gateway's word is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The order is paid; the customer gets a confirmation.
    Paid,
    /// The payment failed; the stock is free again.
    Failed,
    /// The order was cancelled while its charge was under way and the charge succeeded: the money must go
    /// back.
    PaidTooLate,
    /// The order was cancelled and was never charged.
    NeverCharged,
    /// Somebody else settled it before.
    AlreadySettled,
}

impl Settlement {
    /// Decides, from where the payment and its order stand.
    #[must_use]
    pub const fn decide(payment: PaymentState, order: OrderState, outcome: &ChargeOutcome) -> Self {
        match (payment, order, outcome) {
            (PaymentState::Pending, OrderState::Pending, ChargeOutcome::Succeeded) => Self::Paid,
            (PaymentState::Pending, OrderState::Pending, ChargeOutcome::Declined { .. }) => Self::Failed,
            (PaymentState::Pending, _, ChargeOutcome::Succeeded) => Self::PaidTooLate,
            (PaymentState::Pending, _, ChargeOutcome::Declined { .. }) => Self::NeverCharged,
            (PaymentState::Succeeded | PaymentState::Declined | PaymentState::Refunded, _, _) => {
                Self::AlreadySettled
            }
        }
    }

    /// The payment's next state, if it changes.
    #[must_use]
    pub const fn payment_state(self) -> Option<PaymentState> {
        match self {
            Self::Paid | Self::PaidTooLate => Some(PaymentState::Succeeded),
            Self::Failed | Self::NeverCharged => Some(PaymentState::Declined),
            Self::AlreadySettled => None,
        }
    }

    /// The order's next state, if it changes.
    #[must_use]
    pub const fn order_state(self) -> Option<OrderState> {
        match self {
            Self::Paid => Some(OrderState::Paid),
            Self::Failed => Some(OrderState::PaymentFailed),
            Self::PaidTooLate | Self::NeverCharged | Self::AlreadySettled => None,
        }
    }

    /// Whether the order's pieces go back to the stock. A cancelled order gave them back when it was
    /// cancelled.
    #[must_use]
    pub const fn releases_stock(self) -> bool {
        matches!(self, Self::Failed)
    }

    /// Whether the money must go back.
    #[must_use]
    pub const fn demands_refund(self) -> bool {
        matches!(self, Self::PaidTooLate)
    }

    /// What the customer is told.
    #[must_use]
    pub const fn event(self, order: OrderId) -> Option<OutboxEvent> {
        match self {
            Self::Paid => Some(OutboxEvent::OrderPaid { order }),
            Self::Failed | Self::PaidTooLate | Self::NeverCharged | Self::AlreadySettled => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> [ChargeOutcome; 2] {
        [ChargeOutcome::Succeeded, ChargeOutcome::Declined { reason: "insufficient_funds".into() }]
    }

    #[test]
    fn every_settlement_follows_the_state_graphs() {
        for payment in PaymentState::ALL {
            for order in OrderState::ALL {
                for outcome in outcomes() {
                    let settlement = Settlement::decide(*payment, *order, &outcome);
                    assert!(settlement.payment_state().is_none_or(|next| payment.may_become(next)));
                    assert!(settlement.order_state().is_none_or(|next| order.may_become(next)));
                }
            }
        }
    }

    #[test]
    fn a_second_word_changes_nothing() {
        for outcome in outcomes() {
            let first = Settlement::decide(PaymentState::Pending, OrderState::Pending, &outcome);
            let (payment, order) = (first.payment_state().unwrap(), first.order_state().unwrap());
            for again in outcomes() {
                assert_eq!(Settlement::decide(payment, order, &again), Settlement::AlreadySettled);
            }
        }
    }

    #[test]
    fn a_charge_that_overtakes_a_cancellation_goes_back() {
        let [succeeded, declined] = outcomes();
        let late = Settlement::decide(PaymentState::Pending, OrderState::Cancelled, &succeeded);
        assert!(late.demands_refund() && !late.releases_stock() && late.order_state().is_none());
        let never = Settlement::decide(PaymentState::Pending, OrderState::Cancelled, &declined);
        assert!(!never.demands_refund() && !never.releases_stock());
    }
}
