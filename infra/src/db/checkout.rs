//! The storage of checkout. Step 1 reserves the stock and writes the order in one transaction; step 3 is in
//! `settlement`.

use glasshouse_domain::checkout::{CheckoutStore, PendingResponse, ReserveError};
use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{OrderId, PaymentId, ProductId};
use glasshouse_domain::idempotency::{Idempotent, IdempotentRequest};
use glasshouse_domain::order::{Order, OrderDraft, OrderState, PricingError};
use glasshouse_domain::payment::{ChargeOutcome, GatewayFailure, PaymentState};
use glasshouse_domain::product::Product;
use glasshouse_domain::settlement::Settlement;
use glasshouse_telemetry::service::events::orders::OrderPlaced;
use glasshouse_telemetry::service::events::payments::PaymentLeftPending;

use super::TenantStore;
use super::idempotency::{Claim, expired_meanwhile};
use super::scope::Scope;
use super::stock::Movement;

impl CheckoutStore for TenantStore {
    async fn reserve(
        &self,
        draft: &OrderDraft,
        request: &IdempotentRequest<Order>,
    ) -> Result<Idempotent<Order>, ReserveError> {
        self.repeated(|| async {
            let scope = self.write("reserve").await?;
            let order = match priced(&scope, draft).await {
                // An earlier request with the key has precedence, also where the order is no longer possible.
                Err(error) if !matches!(error, ReserveError::Store(_)) => {
                    return earlier(&scope, draft, request).await?.ok_or(error);
                }
                priced => priced?,
            };
            scope.insert_order(&order, draft.payment, self.pool().reconcile_after);
            scope.claim_at_commit(request, draft.order.uuid());
            if !scope.try_commit().await? {
                let scope = self.write("reserve").await?;
                return earlier(&scope, draft, request)
                    .await?
                    .ok_or_else(|| expired_meanwhile(&request.key).into());
            }
            OrderPlaced { order_id: &order.id }.emit(&self.pool().business);
            Ok(Idempotent::Executed(order))
        })
        .await
    }

    async fn settle(
        &self,
        payment: PaymentId,
        outcome: &ChargeOutcome,
        response: Option<PendingResponse<'_>>,
    ) -> Result<OrderState, StoreFailure> {
        self.repeated(|| async {
            if let Some(response) = response
                && let Some(state) = self.settle_reserved(payment, outcome, response).await?
            {
                return Ok(state);
            }
            let scope = self.write("settle").await?;
            let settled = scope.settle(payment, outcome).await?;
            let order = match response {
                Some(PendingResponse { order, request }) => {
                    let order = order.clone().in_state(settled.order_state);
                    scope.record(request, &order);
                    Some(order)
                }
                None if settled.has_revenue() => scope.order(settled.order).await?,
                None => None,
            };
            scope.commit().await?;
            settled.emit(&self.pool().business, self.tenant_id(), outcome, order.as_ref());
            Ok(settled.order_state)
        })
        .await
    }

    async fn record_pending(
        &self,
        order: &Order,
        payment: PaymentId,
        failure: &GatewayFailure,
        request: &IdempotentRequest<Order>,
    ) -> Result<(), StoreFailure> {
        PaymentLeftPending { order_id: &order.id, payment_id: &payment, error: failure }.emit();
        self.repeated(|| async {
            let scope = self.write("record_pending").await?;
            scope.record(request, order);
            scope.commit().await
        })
        .await
    }
}

impl TenantStore {
    /// Settles a payment for the request that reserved its order a moment ago. `None`, and no change, if payment or order are no longer
    /// as they were then, or if the stock has to be released too.
    async fn settle_reserved(
        &self,
        payment: PaymentId,
        outcome: &ChargeOutcome,
        PendingResponse { order, request }: PendingResponse<'_>,
    ) -> Result<Option<OrderState>, StoreFailure> {
        let settlement = Settlement::decide(PaymentState::Pending, order.state, outcome);
        if settlement.releases_stock() {
            return Ok(None);
        }
        let scope = self.write("settle").await?;
        let settled = scope.apply(settlement, payment, (order.id, order.state), outcome)?;
        let order = order.clone().in_state(settled.order_state);
        scope.record(request, &order);
        if !scope.try_commit().await? {
            return Ok(None);
        }
        settled.emit(&self.pool().business, self.tenant_id(), outcome, Some(&order));
        Ok(Some(settled.order_state))
    }
}

/// The result of an earlier request with the same key; `None` if this one is the first.
async fn earlier(
    scope: &Scope,
    draft: &OrderDraft,
    request: &IdempotentRequest<Order>,
) -> Result<Option<Idempotent<Order>>, ReserveError> {
    Ok(match scope.claim::<_, ReserveError>(request, draft.order.uuid()).await? {
        Claim::Completed(response) => Some(Idempotent::Replayed(response)),
        Claim::InProgress(order) => Some(in_progress(scope, order.into()).await?),
        Claim::First => None,
    })
}

/// The current order of an earlier request with the same key.
async fn in_progress(scope: &Scope, order: OrderId) -> Result<Idempotent<Order>, ReserveError> {
    let order = scope.order(order).await?;
    let missing = || StoreFailure::Unexpected("the order of an idempotency key does not exist".into());
    Ok(Idempotent::InProgress(order.ok_or_else(missing)?))
}

/// Reserves the stock of all products of a draft, and prices it.
async fn priced(scope: &Scope, draft: &OrderDraft) -> Result<Order, ReserveError> {
    let products = reserve_stock(scope, draft).await?;
    Ok(draft.price(&products, scope.now())?)
}

/// Reserves the stock of all products of a draft. Fails if one of them is unknown or out of stock.
async fn reserve_stock(scope: &Scope, draft: &OrderDraft) -> Result<Vec<Product>, ReserveError> {
    let deltas: Vec<_> = draft.basket.lines().map(|(product, quantity)| (product, -quantity.get())).collect();
    let reserved = scope.move_stock(&deltas, Movement::Reserve).await?;
    let missing = deltas.iter().find(|(wanted, _)| reserved.iter().all(|product| product.id != *wanted));
    match missing {
        Some((product, _)) => Err(reserve_error(scope, *product).await?),
        None => Ok(reserved),
    }
}

/// Why the stock of a product could not be reserved.
async fn reserve_error(scope: &Scope, product: ProductId) -> Result<ReserveError, StoreFailure> {
    Ok(match scope.stock_for_sale(product).await? {
        Some(available) => ReserveError::OutOfStock { product, available },
        None => PricingError::UnknownProduct(product).into(),
    })
}
