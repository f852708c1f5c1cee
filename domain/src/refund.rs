//! Refunds and cancellations.

use std::error::Error;

use crate::failure::StoreFailure;
use crate::id::{OrderId, PaymentId, UserId};
use crate::idempotency::{Idempotent, IdempotentRequest, KeyReused};
use crate::order::{Order, OrderState};
use crate::payment::{NotRefundable, Payment, PaymentGateway};
use crate::user::Role;

/// What refunds need from one tenant's storage.
pub trait RefundStore {
    /// In one transaction: claims the key and notes on the payment that the money must go back.
    fn request_refund(
        &self,
        payment: PaymentId,
        request: &IdempotentRequest<Payment>,
    ) -> impl Future<Output = Result<Idempotent<Payment>, RefundError>> + Send;

    /// Records the answer to a request whose refund the gateway has not confirmed yet.
    fn record_requested(
        &self,
        payment: &Payment,
        request: &IdempotentRequest<Payment>,
    ) -> impl Future<Output = Result<(), StoreFailure>> + Send;

    /// In one transaction, after the gateway confirmed: marks payment and order as refunded, and records
    /// the answer if a request waits for it.
    fn complete_refund(
        &self,
        payment: PaymentId,
        request: Option<&IdempotentRequest<Payment>>,
    ) -> impl Future<Output = Result<Payment, StoreFailure>> + Send;
}

/// Why a payment is not refunded.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// No such payment in this tenant.
    #[error("there is no such payment")]
    UnknownPayment,
    /// Only money that was taken can go back.
    #[error(transparent)]
    NotRefundable(#[from] NotRefundable),
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Gives the money of a payment back.
///
/// The payment comes back `refunded`, or still `succeeded` if the gateway gave no answer: the refund is
/// noted, and the reconciler carries it out.
///
/// # Errors
/// When the payment cannot be refunded, or the storage fails.
pub async fn refund(
    store: &impl RefundStore,
    gateway: &impl PaymentGateway,
    payment: PaymentId,
    request: &IdempotentRequest<Payment>,
) -> Result<Idempotent<Payment>, RefundError> {
    let requested = match store.request_refund(payment, request).await? {
        Idempotent::Executed(payment) => payment,
        before => return Ok(before),
    };
    match gateway.refund(payment).await {
        Ok(()) => Ok(Idempotent::Executed(store.complete_refund(payment, Some(request)).await?)),
        Err(failure) => {
            let error: &(dyn Error + 'static) = &failure;
            tracing::warn!(payment_id = %payment, error, "refund_left_pending");
            store.record_requested(&requested, request).await?;
            Ok(Idempotent::Executed(requested))
        }
    }
}

/// Why an order is not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// No such order in this tenant.
    #[error("there is no such order")]
    UnknownOrder,
    /// Members cancel their own orders only.
    #[error("only an admin may cancel somebody else's order")]
    NotYours,
    /// Only an open order can be cancelled.
    #[error("an order that is {0} cannot be cancelled{hint}", hint = hint(*.0))]
    NotPending(OrderState),
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

const fn hint(state: OrderState) -> &'static str {
    match state {
        OrderState::Paid => ": refund its payment instead",
        _ => "",
    }
}

/// Who wants to cancel an order.
#[derive(Clone, Copy, Debug)]
pub struct Canceller {
    /// The user.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
}

impl Canceller {
    /// Whether they may cancel this order as it stands.
    ///
    /// # Errors
    /// When it is somebody else's, or not open any more.
    pub fn check(self, order: &Order) -> Result<(), CancelError> {
        if order.placed_by != self.user && self.role < Role::Admin {
            return Err(CancelError::NotYours);
        }
        if !order.state.may_become(OrderState::Cancelled) {
            return Err(CancelError::NotPending(order.state));
        }
        Ok(())
    }
}

/// What cancellation needs from one tenant's storage.
///
/// Cancelling gives the stock back at once. The payment is left to the reconciler, which makes the gateway
/// void it, or refunds it if the charge was faster.
pub trait CancelStore {
    /// In one transaction: claims the key, checks with [`Canceller::check`], marks the order as cancelled,
    /// releases its stock and records the answer.
    fn cancel(
        &self,
        order: OrderId,
        canceller: Canceller,
        request: &IdempotentRequest<Order>,
    ) -> impl Future<Output = Result<Idempotent<Order>, CancelError>> + Send;
}
