//! Payments, and the port of the payment gateway.

use time::OffsetDateTime;

use crate::id::{OrderId, PaymentId};
use crate::text_enum::text_enum;
use crate::values::{DeclineReason, Money};

text_enum! {
    /// The state of a payment: `pending → succeeded → refunded`, or `pending → declined`.
    pub enum PaymentState: "payment state" {
        /// The charge was not requested yet, or its outcome is unknown.
        Pending = "pending",
        /// The customer was charged.
        Succeeded = "succeeded",
        /// The customer was not charged and will not be.
        Declined = "declined",
        /// The customer was charged and refunded.
        Refunded = "refunded",
    }
}

impl PaymentState {
    /// Whether the transition from this state to `next` exists.
    #[must_use]
    pub const fn can_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Succeeded | Self::Declined) | (Self::Succeeded, Self::Refunded)
        )
    }
}

/// The payment of an order; each order has exactly one.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Unique across all tenants; also the idempotency key at the gateway.
    pub id: PaymentId,
    /// The order that is paid.
    pub order: OrderId,
    /// The total of the order.
    pub amount: Money,
    /// The current state.
    pub state: PaymentState,
    /// The reason; only if the payment is declined.
    pub decline_reason: Option<DeclineReason>,
    /// The time at which the refund was requested, in UTC. Until the state is `refunded`, the gateway has not
    /// confirmed the refund, and the reconciler retries it.
    pub refund_requested_at: Option<OffsetDateTime>,
    /// The time of the order, in UTC.
    pub created_at: OffsetDateTime,
}

/// The payment cannot be refunded in its current state.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payment with status {0} cannot be refunded")]
pub struct NotRefundable(pub PaymentState);

impl Payment {
    /// Sets `refund_requested_at` to `now`, unless a refund was requested before.
    ///
    /// # Errors
    /// [`NotRefundable`] unless the payment succeeded and is not refunded yet.
    pub fn request_refund(&mut self, now: OffsetDateTime) -> Result<(), NotRefundable> {
        if !self.state.can_become(PaymentState::Refunded) {
            return Err(NotRefundable(self.state));
        }
        self.refund_requested_at.get_or_insert(now);
        Ok(())
    }
}

/// The final outcome of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// The customer was charged.
    Succeeded,
    /// The customer was not charged, and will not be for this payment.
    Declined {
        /// The reason.
        reason: DeclineReason,
    },
}

/// A call to the gateway that has no known outcome. The gateway may or may not have acted.
#[derive(Debug, thiserror::Error)]
pub enum GatewayFailure {
    /// All attempts timed out.
    #[error("the payment gateway timed out")]
    TimedOut,
    /// The circuit breaker is open after repeated failures, so no request was sent.
    #[error("the circuit breaker of the payment gateway is open")]
    CircuitOpen,
    /// The gateway was unreachable, returned an error, or sent a response that is not in its protocol.
    #[error("the payment gateway failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The external service that charges and refunds customers. All calls are idempotent: the payment's id is their
/// idempotency key.
pub trait PaymentGateway {
    /// Charges the customer.
    fn charge(
        &self,
        payment: PaymentId,
        amount: Money,
    ) -> impl Future<Output = Result<ChargeOutcome, GatewayFailure>> + Send;

    /// The outcome of a charge; `None` if the gateway never received it.
    fn find_charge(
        &self,
        payment: PaymentId,
    ) -> impl Future<Output = Result<Option<ChargeOutcome>, GatewayFailure>> + Send;

    /// Declines the charge if it did not happen yet, and returns its outcome. A later [`charge`](Self::charge) of
    /// the same payment has no effect.
    fn void_charge(
        &self,
        payment: PaymentId,
    ) -> impl Future<Output = Result<ChargeOutcome, GatewayFailure>> + Send;

    /// Refunds a succeeded charge in full.
    fn refund(&self, payment: PaymentId) -> impl Future<Output = Result<(), GatewayFailure>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transitions_are_those_of_the_docs() {
        use PaymentState::*;
        let allowed: Vec<_> = PaymentState::ALL
            .iter()
            .flat_map(|from| PaymentState::ALL.iter().map(|to| (*from, *to)))
            .filter(|(from, to)| from.can_become(*to))
            .collect();
        assert_eq!(allowed, [(Pending, Succeeded), (Pending, Declined), (Succeeded, Refunded)]);
    }
}
