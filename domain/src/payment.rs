//! Payments, and the gateway that carries them out.

use time::OffsetDateTime;

use crate::id::{OrderId, PaymentId};
use crate::text_enum::text_enum;
use crate::values::Money;

text_enum! {
    /// Where a payment stands: `pending → succeeded → refunded`, or `pending → declined`.
    pub enum PaymentState: "payment state" {
        /// The gateway was not asked yet, or its answer is not known yet.
        Pending = "pending",
        /// The customer was charged.
        Succeeded = "succeeded",
        /// The customer was not charged and will not be.
        Declined = "declined",
        /// The customer was charged and got the money back.
        Refunded = "refunded",
    }
}

impl PaymentState {
    /// Whether a payment in this state may go to the state `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Succeeded | Self::Declined) | (Self::Succeeded, Self::Refunded)
        )
    }
}

/// The one payment of an order.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Its id, which is also the gateway's idempotency key.
    pub id: PaymentId,
    /// What it pays for.
    pub order: OrderId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: PaymentState,
    /// Why the gateway declined it.
    pub decline_reason: Option<String>,
    /// When somebody decided to give the money back. Until the state is `refunded` the gateway has not
    /// confirmed it, and the reconciler keeps asking.
    pub refund_requested_at: Option<OffsetDateTime>,
    /// When the order was placed.
    pub created_at: OffsetDateTime,
}

/// The payment cannot be refunded, because of where it stands.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payment that is {0} cannot be refunded")]
pub struct NotRefundable(pub PaymentState);

impl Payment {
    /// Notes that the money must go back. Asking again keeps the first time.
    ///
    /// # Errors
    /// When no money was taken, or it went back already.
    pub fn ask_for_refund(&mut self, now: OffsetDateTime) -> Result<(), NotRefundable> {
        if !self.state.may_become(PaymentState::Refunded) {
            return Err(NotRefundable(self.state));
        }
        self.refund_requested_at.get_or_insert(now);
        Ok(())
    }
}

/// What the gateway is asked to charge.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// The payment's id: the gateway charges it at most once, however often it is asked.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
}

/// The gateway's final word on a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// The customer was charged.
    Succeeded,
    /// The customer was not charged and will not be under this payment's id.
    Declined {
        /// A short machine-readable reason, such as `insufficient_funds`.
        reason: String,
    },
}

impl ChargeOutcome {
    /// Tells the log how a payment was settled.
    pub(crate) fn log(&self, payment: PaymentId) {
        match self {
            Self::Succeeded => tracing::info!(payment_id = %payment, "payment_succeeded"),
            Self::Declined { reason } => tracing::warn!(payment_id = %payment, reason, "payment_declined"),
        }
    }
}

/// The gateway gave no final word. What it did is unknown until it is asked again.
#[derive(Debug, thiserror::Error)]
pub enum GatewayFailure {
    /// No answer in time, also after retries.
    #[error("the payment gateway did not answer in time")]
    TimedOut,
    /// It failed too often lately, so it was not asked this time.
    #[error("the payment gateway is not asked for now, because it failed too often")]
    CircuitOpen,
    /// It could not be reached, answered with an error, or not in its own protocol.
    #[error("the payment gateway failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The external party that moves the money. All four calls may be repeated: the payment's id makes each of
/// them happen at most once.
pub trait PaymentGateway {
    /// Charges the customer.
    fn charge(&self, charge: Charge) -> impl Future<Output = Result<ChargeOutcome, GatewayFailure>> + Send;

    /// What became of a charge; `None` if the gateway has never seen it.
    fn find_charge(
        &self,
        payment: PaymentId,
    ) -> impl Future<Output = Result<Option<ChargeOutcome>, GatewayFailure>> + Send;

    /// Makes sure that a payment which was not charged so far never will be: afterwards the outcome is final.
    fn void_charge(
        &self,
        payment: PaymentId,
    ) -> impl Future<Output = Result<ChargeOutcome, GatewayFailure>> + Send;

    /// Gives the money of a succeeded charge back, all of it.
    fn refund(&self, payment: PaymentId) -> impl Future<Output = Result<(), GatewayFailure>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_form_the_graph_of_the_docs() {
        use PaymentState::*;
        let allowed: Vec<_> = PaymentState::ALL
            .iter()
            .flat_map(|from| PaymentState::ALL.iter().map(|to| (*from, *to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        assert_eq!(allowed, [(Pending, Succeeded), (Pending, Declined), (Succeeded, Refunded)]);
    }
}
