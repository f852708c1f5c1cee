//! Checkout: from a basket to a paid order, in three steps.
//!
//! 1. One transaction takes the stock and writes the order with a pending payment.
//! 2. The gateway is asked to charge, outside any transaction: nothing is locked while a slow party thinks.
//! 3. One transaction settles payment and order by the gateway's word.
//!
//! Whatever happens between the steps, a crash or a gateway that does not answer, leaves a pending payment
//! behind, which [`reconcile`](crate::reconcile) settles later. The payment's id is the gateway's
//! idempotency key, so nothing is charged twice.

use std::error::Error;

use tracing::{Instrument, info_span};

use crate::failure::StoreFailure;
use crate::id::{PaymentId, ProductId};
use crate::idempotency::{Idempotent, IdempotentRequest, KeyReused};
use crate::order::{Order, OrderDraft, OrderState, PricingError};
use crate::payment::{Charge, ChargeOutcome, PaymentGateway};

/// What checkout needs from one tenant's storage.
pub trait CheckoutStore {
    /// Step 1 in one transaction: claims the key, takes the stock, writes order, items and payment.
    ///
    /// With a key that was used before nothing is written, and the first answer comes back.
    fn reserve(
        &self,
        draft: &OrderDraft,
        request: &IdempotentRequest<Order>,
    ) -> impl Future<Output = Result<Idempotent<Order>, ReserveError>> + Send;

    /// Step 3 in one transaction: applies [`Settlement`](crate::settlement::Settlement), and records the
    /// answer if a request waits for it. Answers where the order stands then.
    fn settle(
        &self,
        payment: PaymentId,
        outcome: &ChargeOutcome,
        waiting: Option<Waiting<'_>>,
    ) -> impl Future<Output = Result<OrderState, StoreFailure>> + Send;

    /// Records the answer to a request whose payment is still open.
    fn record_pending(
        &self,
        order: &Order,
        request: &IdempotentRequest<Order>,
    ) -> impl Future<Output = Result<(), StoreFailure>> + Send;
}

/// A request that waits for its order to be settled.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// The order, as it was reserved.
    pub order: &'a Order,
    /// Under which key the answer is to be recorded.
    pub request: &'a IdempotentRequest<Order>,
}

/// Why an order was not placed. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// The basket names a product that does not exist, or its total cannot be made.
    #[error(transparent)]
    Pricing(#[from] PricingError),
    /// Not enough pieces of a product.
    #[error("only {available} of product {product} are in stock")]
    OutOfStock {
        /// Which product.
        product: ProductId,
        /// How many there were at that moment.
        available: i32,
    },
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Why a checkout has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The order was not placed.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// The order was placed, and storing the gateway's word failed. The reconciler will store it.
    #[error(transparent)]
    Settle(StoreFailure),
}

/// Places an order and pays for it.
///
/// The order comes back `paid`, `payment_failed`, or `pending` if the gateway gave no final word.
///
/// # Errors
/// When the order cannot be placed, or the storage fails.
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
        before => return Ok(before),
    };
    tracing::info!(order_id = %order.id, "order_placed");
    let charge = Charge { payment: draft.payment, amount: order.total };
    match gateway.charge(charge).instrument(info_span!("charge_payment")).await {
        Ok(outcome) => {
            let waiting = Some(Waiting { order: &order, request });
            let state =
                store.settle(draft.payment, &outcome, waiting).await.map_err(CheckoutError::Settle)?;
            outcome.log(draft.payment);
            Ok(Idempotent::Executed(order.in_state(state)))
        }
        Err(failure) => {
            let error: &(dyn Error + 'static) = &failure;
            tracing::warn!(order_id = %order.id, payment_id = %draft.payment, error, "payment_left_pending");
            store.record_pending(&order, request).await.map_err(CheckoutError::Settle)?;
            Ok(Idempotent::Executed(order))
        }
    }
}
