//! Refunds: returns the money of a succeeded payment to the customer.

use tracing::{Instrument, info_span};

use crate::failure::StoreFailure;
use crate::id::PaymentId;
use crate::idempotency::{Idempotent, IdempotentRequest, KeyReused};
use crate::payment::{GatewayFailure, NotRefundable, Payment, PaymentGateway};

/// The port of refunds to one tenant's storage.
pub trait RefundStore {
    /// In one transaction: claims the idempotency key and marks the payment with
    /// [`Payment::request_refund`].
    fn request_refund(
        &self,
        payment: PaymentId,
        request: &IdempotentRequest<Payment>,
    ) -> impl Future<Output = Result<Idempotent<Payment>, RefundError>> + Send;

    /// Records the response to a request whose refund the gateway has not confirmed yet, because of `failure`.
    fn record_requested(
        &self,
        payment: &Payment,
        failure: &GatewayFailure,
        request: &IdempotentRequest<Payment>,
    ) -> impl Future<Output = Result<(), StoreFailure>> + Send;

    /// In one transaction, after the gateway confirmed the refund: marks the payment and the order as refunded,
    /// and records the response if a request is waiting for it.
    fn complete_refund(
        &self,
        payment: PaymentId,
        request: Option<&IdempotentRequest<Payment>>,
    ) -> impl Future<Output = Result<Payment, StoreFailure>> + Send;
}

/// Why a payment was not refunded.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// The tenant has no payment with this id.
    #[error("there is no such payment")]
    NotFound,
    /// The payment did not succeed, or is already refunded.
    #[error(transparent)]
    NotRefundable(#[from] NotRefundable),
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Refunds a payment in full.
///
/// The returned payment is `refunded`, or still `succeeded` if the gateway did not confirm the refund; then the
/// request is stored, and the reconciler completes it.
///
/// # Errors
/// [`RefundError`] when the payment cannot be refunded, or the storage fails.
pub async fn refund(
    store: &impl RefundStore,
    gateway: &impl PaymentGateway,
    payment: PaymentId,
    request: &IdempotentRequest<Payment>,
) -> Result<Idempotent<Payment>, RefundError> {
    let requested = match store.request_refund(payment, request).await? {
        Idempotent::Executed(payment) => payment,
        earlier => return Ok(earlier),
    };
    match gateway.refund(payment).instrument(info_span!("refund_payment")).await {
        Ok(()) => Ok(Idempotent::Executed(store.complete_refund(payment, Some(request)).await?)),
        Err(failure) => {
            store.record_requested(&requested, &failure, request).await?;
            Ok(Idempotent::Executed(requested))
        }
    }
}
