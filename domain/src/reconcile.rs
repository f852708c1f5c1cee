//! Reconciliation: settles what a crash, a time-out or a cancellation left open at the gateway.

use crate::checkout::CheckoutStore;
use crate::failure::StoreFailure;
use crate::order::OrderState;
use crate::payment::{Charge, GatewayFailure, Payment, PaymentGateway, PaymentState};
use crate::refund::RefundStore;

/// What is left to do for a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenStep {
    /// Find out whether it was charged, and charge it if not.
    Charge,
    /// Its order was cancelled: make sure that it is never charged.
    Void,
    /// The money must go back.
    Refund,
}

impl OpenStep {
    /// What is left to do for a payment of an order in this state, if anything.
    #[must_use]
    pub fn of(payment: &Payment, order: OrderState) -> Option<Self> {
        match payment.state {
            PaymentState::Pending if order == OrderState::Pending => Some(Self::Charge),
            PaymentState::Pending => Some(Self::Void),
            PaymentState::Succeeded if payment.refund_requested_at.is_some() => Some(Self::Refund),
            PaymentState::Succeeded | PaymentState::Declined | PaymentState::Refunded => None,
        }
    }
}

/// Why a payment stays open. It is tried again later.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The gateway gave no final word.
    #[error(transparent)]
    Gateway(#[from] GatewayFailure),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Takes the open step of a payment: asks the gateway and stores its word.
///
/// Every step may be repeated, and may run beside the request that left it open: the gateway acts once per
/// payment, and settlement changes nothing the second time.
///
/// # Errors
/// When the gateway gives no final word or the storage fails.
pub async fn reconcile(
    store: &(impl CheckoutStore + RefundStore),
    gateway: &impl PaymentGateway,
    payment: &Payment,
    step: OpenStep,
) -> Result<(), ReconcileError> {
    match step {
        OpenStep::Charge => {
            let charge = Charge { payment: payment.id, amount: payment.amount };
            let outcome = match gateway.find_charge(payment.id).await? {
                Some(outcome) => outcome,
                None => gateway.charge(charge).await?,
            };
            store.settle(payment.id, &outcome, None).await?;
            outcome.log(payment.id);
        }
        OpenStep::Void => {
            let outcome = gateway.void_charge(payment.id).await?;
            store.settle(payment.id, &outcome, None).await?;
        }
        OpenStep::Refund => {
            gateway.refund(payment.id).await?;
            store.complete_refund(payment.id, None).await?;
        }
    }
    Ok(())
}
