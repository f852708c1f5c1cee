//! Checkout: places an order and pays for it, in three steps.
//!
//! 1. One transaction reserves the stock and writes the order with a pending payment.
//! 2. The gateway charges the payment. No transaction is open, so a slow gateway holds no locks.
//! 3. One transaction settles the payment and the order by the outcome of the charge.
//!
//! A crash or a gateway failure between the steps leaves a pending payment, which
//! [`reconcile`](crate::reconcile) settles later. The payment's id is the idempotency key at the gateway, so no
//! payment is charged twice.

use tracing::{Instrument, info_span};

use crate::failure::StoreFailure;
use crate::id::{PaymentId, ProductId};
use crate::idempotency::{Idempotent, IdempotentRequest, KeyReused};
use crate::order::{Order, OrderDraft, OrderState, PricingError};
use crate::payment::{ChargeOutcome, GatewayFailure, PaymentGateway};

/// The port of checkout to one tenant's storage.
pub trait CheckoutStore {
    /// Step 1, in one transaction: claims the idempotency key, reserves the stock, and writes the order, its items
    /// and its payment.
    ///
    /// If an earlier request has claimed the key, writes nothing and returns the outcome of that request.
    fn reserve(
        &self,
        draft: &OrderDraft,
        request: &IdempotentRequest<Order>,
    ) -> impl Future<Output = Result<Idempotent<Order>, ReserveError>> + Send;

    /// Step 3, in one transaction: applies the [`Settlement`](crate::settlement::Settlement), and records the
    /// response if a request is waiting for it. Returns the order's state afterwards.
    fn settle(
        &self,
        payment: PaymentId,
        outcome: &ChargeOutcome,
        response: Option<PendingResponse<'_>>,
    ) -> impl Future<Output = Result<OrderState, StoreFailure>> + Send;

    /// Records the response to a request whose payment is still pending after `failure`.
    fn record_pending(
        &self,
        order: &Order,
        payment: PaymentId,
        failure: &GatewayFailure,
        request: &IdempotentRequest<Order>,
    ) -> impl Future<Output = Result<(), StoreFailure>> + Send;
}

/// A response that is recorded when its order is settled.
#[derive(Clone, Copy, Debug)]
pub struct PendingResponse<'a> {
    /// The order as it was reserved.
    pub order: &'a Order,
    /// The request that placed the order.
    pub request: &'a IdempotentRequest<Order>,
}

/// Why an order was not placed. Nothing is stored.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// The basket cannot be priced.
    #[error(transparent)]
    Pricing(#[from] PricingError),
    /// The stock of a product is too low.
    #[error("only {available} of product {product} are in stock")]
    OutOfStock {
        /// The product that is missing.
        product: ProductId,
        /// The stock in units at the time of the request.
        available: i32,
    },
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Why a checkout failed.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The order was not placed.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// The order was placed, but the storage failed afterwards. The reconciler settles the payment.
    #[error(transparent)]
    Settle(StoreFailure),
}

/// Places an order and pays for it.
///
/// The returned order is `paid`, `payment_failed`, or `pending` if the outcome at the gateway is unknown.
///
/// # Errors
/// [`CheckoutError`] when the order cannot be placed, or the storage fails.
#[tracing::instrument(
    name = "process_order",
    skip_all,
    fields(order.id = %draft.order, payment.id = %draft.payment)
)]
pub async fn check_out(
    store: &impl CheckoutStore,
    gateway: &impl PaymentGateway,
    draft: &OrderDraft,
    request: &IdempotentRequest<Order>,
) -> Result<Idempotent<Order>, CheckoutError> {
    let reserve = store.reserve(draft, request).instrument(info_span!("validate_inventory"));
    let order = match reserve.await? {
        Idempotent::Executed(order) => order,
        earlier => return Ok(earlier),
    };
    match gateway.charge(draft.payment, order.total).instrument(info_span!("charge_payment")).await {
        Ok(outcome) => {
            let response = Some(PendingResponse { order: &order, request });
            let state =
                store.settle(draft.payment, &outcome, response).await.map_err(CheckoutError::Settle)?;
            Ok(Idempotent::Executed(order.in_state(state)))
        }
        Err(failure) => {
            let recorded = store.record_pending(&order, draft.payment, &failure, request);
            recorded.await.map_err(CheckoutError::Settle)?;
            Ok(Idempotent::Executed(order))
        }
    }
}
