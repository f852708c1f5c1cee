//! Reconciliation: settles payments that a crash, a timeout or a cancellation left open.

use crate::checkout::CheckoutStore;
use crate::failure::StoreFailure;
use crate::order::OrderState;
use crate::payment::{GatewayFailure, Payment, PaymentGateway, PaymentState};
use crate::refund::RefundStore;

/// The next step of an open payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileStep {
    /// Look up the charge, and request it if the gateway never received it.
    Charge,
    /// Void the charge, because the order is cancelled.
    Void,
    /// Refund the charge.
    Refund,
}

impl ReconcileStep {
    /// The next step of a payment whose order is in the state `order`; `None` if the payment is not open.
    #[must_use]
    pub fn next(payment: &Payment, order: OrderState) -> Option<Self> {
        match payment.state {
            PaymentState::Pending if order == OrderState::Pending => Some(Self::Charge),
            PaymentState::Pending => Some(Self::Void),
            PaymentState::Succeeded if payment.refund_requested_at.is_some() => Some(Self::Refund),
            PaymentState::Succeeded | PaymentState::Declined | PaymentState::Refunded => None,
        }
    }
}

/// Why a payment stays open. The reconciler retries it later.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The outcome at the gateway is unknown.
    #[error(transparent)]
    Gateway(#[from] GatewayFailure),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Takes one step of an open payment: calls the gateway and stores the outcome.
///
/// Each step is idempotent, and may run concurrently with the request that left the payment open: the gateway
/// acts once for each payment, and a second settlement changes nothing.
///
/// # Errors
/// [`ReconcileError`] when the outcome at the gateway is unknown, or the storage fails.
pub async fn reconcile(
    store: &(impl CheckoutStore + RefundStore),
    gateway: &impl PaymentGateway,
    payment: &Payment,
    step: ReconcileStep,
) -> Result<(), ReconcileError> {
    match step {
        ReconcileStep::Charge => {
            let outcome = match gateway.find_charge(payment.id).await? {
                Some(outcome) => outcome,
                None => gateway.charge(payment.id, payment.amount).await?,
            };
            store.settle(payment.id, &outcome, None).await?;
        }
        ReconcileStep::Void => {
            let outcome = gateway.void_charge(payment.id).await?;
            store.settle(payment.id, &outcome, None).await?;
        }
        ReconcileStep::Refund => {
            gateway.refund(payment.id).await?;
            store.complete_refund(payment.id, None).await?;
        }
    }
    Ok(())
}
