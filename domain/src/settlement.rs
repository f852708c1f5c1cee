//! Settlement: the effect of a charge's outcome on the payment, the order and the stock.

use crate::id::OrderId;
use crate::order::OrderState;
use crate::outbox::OutboxEvent;
use crate::payment::{ChargeOutcome, PaymentState};

/// The changes to make once the outcome of a charge is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The payment succeeds, the order is paid, and the customer gets a confirmation.
    Paid,
    /// The payment is declined, the order fails, and the stock is released.
    Failed,
    /// The charge succeeded after the order was cancelled: the payment succeeds and must be refunded.
    PaidTooLate,
    /// The charge was declined or voided after the order was cancelled: the payment is declined.
    NeverCharged,
    /// The payment was settled before; nothing changes.
    AlreadySettled,
}

impl Settlement {
    /// The settlement of a payment in state `payment`, of an order in state `order`.
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

    /// The next state of the payment; `None` if it does not change.
    #[must_use]
    pub const fn payment_state(self) -> Option<PaymentState> {
        match self {
            Self::Paid | Self::PaidTooLate => Some(PaymentState::Succeeded),
            Self::Failed | Self::NeverCharged => Some(PaymentState::Declined),
            Self::AlreadySettled => None,
        }
    }

    /// The next state of the order; `None` if it does not change.
    #[must_use]
    pub const fn order_state(self) -> Option<OrderState> {
        match self {
            Self::Paid => Some(OrderState::Paid),
            Self::Failed => Some(OrderState::PaymentFailed),
            Self::PaidTooLate | Self::NeverCharged | Self::AlreadySettled => None,
        }
    }

    /// Whether the stock of the order is released. The stock of a cancelled order was released by the
    /// cancellation.
    #[must_use]
    pub const fn releases_stock(self) -> bool {
        matches!(self, Self::Failed)
    }

    /// Whether the payment must be refunded.
    #[must_use]
    pub const fn requires_refund(self) -> bool {
        matches!(self, Self::PaidTooLate)
    }

    /// The outbox event for the customer, if any.
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
    use crate::values::DeclineReason;

    fn outcomes() -> [ChargeOutcome; 2] {
        let reason = DeclineReason::from_gateway("insufficient_funds");
        [ChargeOutcome::Succeeded, ChargeOutcome::Declined { reason }]
    }

    #[test]
    fn settlements_use_only_existing_transitions() {
        for payment in PaymentState::ALL {
            for order in OrderState::ALL {
                for outcome in outcomes() {
                    let settlement = Settlement::decide(*payment, *order, &outcome);
                    assert!(settlement.payment_state().is_none_or(|next| payment.can_become(next)));
                    assert!(settlement.order_state().is_none_or(|next| order.can_become(next)));
                }
            }
        }
    }

    #[test]
    fn a_second_outcome_changes_nothing() {
        for outcome in outcomes() {
            let first = Settlement::decide(PaymentState::Pending, OrderState::Pending, &outcome);
            let (payment, order) = (first.payment_state().unwrap(), first.order_state().unwrap());
            for again in outcomes() {
                assert_eq!(Settlement::decide(payment, order, &again), Settlement::AlreadySettled);
            }
        }
    }

    #[test]
    fn a_charge_that_succeeds_after_a_cancellation_is_refunded() {
        let [succeeded, declined] = outcomes();
        let late = Settlement::decide(PaymentState::Pending, OrderState::Cancelled, &succeeded);
        assert!(late.requires_refund() && !late.releases_stock() && late.order_state().is_none());
        let never = Settlement::decide(PaymentState::Pending, OrderState::Cancelled, &declined);
        assert!(!never.requires_refund() && !never.releases_stock());
    }
}
