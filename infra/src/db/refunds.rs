//! The storage of refunds and cancellations.

use glasshouse_domain::cancel::{CancelError, CancelStore, Canceller};
use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{OrderId, PaymentId};
use glasshouse_domain::idempotency::{Idempotent, IdempotentRequest};
use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::outbox::OutboxEvent;
use glasshouse_domain::payment::{GatewayFailure, Payment, PaymentState};
use glasshouse_domain::refund::{RefundError, RefundStore};
use glasshouse_telemetry::service::events::orders::OrderCancelled;
use glasshouse_telemetry::service::events::payments::{PaymentRefunded, RefundLeftPending};
use sea_orm::ColumnTrait;
use sea_orm::sea_query::Expr;

use super::TenantStore;
use super::entity::payment;
use super::idempotency::Claim;
use super::scope::Scope;

impl RefundStore for TenantStore {
    async fn request_refund(
        &self,
        id: PaymentId,
        request: &IdempotentRequest<Payment>,
    ) -> Result<Idempotent<Payment>, RefundError> {
        self.repeated(|| async {
            let scope = self.write("request_refund").await?;
            let claim = scope.claim::<_, RefundError>(request, id.uuid()).await?;
            if let Claim::Completed(response) = claim {
                return Ok(Idempotent::Replayed(response));
            }
            let found = scope.lock_payment_and_order(payment::Column::Id.eq(id.uuid())).await?;
            let (mut payment, _) = found.ok_or(RefundError::NotFound)?;
            if let Claim::InProgress(_) = claim {
                return Ok(Idempotent::InProgress(payment));
            }
            payment.request_refund(scope.now())?;
            let reconcile_at = scope.now() + self.pool().reconcile_after;
            let update = scope
                .update_by_id::<payment::Entity>(id.uuid())
                .col_expr(payment::Column::RefundRequestedAt, Expr::value(payment.refund_requested_at))
                .col_expr(payment::Column::ReconcileAt, Expr::value(reconcile_at));
            scope.update_at_commit(update);
            scope.commit().await?;
            Ok(Idempotent::Executed(payment))
        })
        .await
    }

    async fn record_requested(
        &self,
        payment: &Payment,
        failure: &GatewayFailure,
        request: &IdempotentRequest<Payment>,
    ) -> Result<(), StoreFailure> {
        RefundLeftPending { payment_id: &payment.id, error: failure }.emit();
        self.repeated(|| async {
            let scope = self.write("record_requested").await?;
            scope.record(request, payment);
            scope.commit().await
        })
        .await
    }

    async fn complete_refund(
        &self,
        id: PaymentId,
        request: Option<&IdempotentRequest<Payment>>,
    ) -> Result<Payment, StoreFailure> {
        self.repeated(|| async {
            let scope = self.write("complete_refund").await?;
            let Refund { payment, is_new, order_state } = scope.complete_refund(id).await?;
            if let Some(request) = request {
                scope.record(request, &payment);
            }
            scope.commit().await?;
            if is_new {
                let order_status = order_state.map(OrderState::as_str);
                PaymentRefunded { payment_id: &payment.id, order_status }.emit(&self.pool().business);
            }
            Ok(payment)
        })
        .await
    }
}

/// The result of a completed refund.
struct Refund {
    payment: Payment,
    /// Whether it was completed now, and not earlier.
    is_new: bool,
    /// The state that the order entered; `None` if it was cancelled, or refunded earlier.
    order_state: Option<OrderState>,
}

impl Scope {
    /// Marks a payment as refunded, and its order too unless that was cancelled. The second time it changes
    /// nothing.
    async fn complete_refund(&self, id: PaymentId) -> Result<Refund, StoreFailure> {
        let found = self.lock_payment_and_order(payment::Column::Id.eq(id.uuid())).await?;
        let (mut payment, order) =
            found.ok_or_else(|| StoreFailure::Unexpected(format!("payment {id} does not exist").into()))?;
        if !payment.state.can_become(PaymentState::Refunded) {
            return Ok(Refund { payment, is_new: false, order_state: None });
        }
        payment.state = PaymentState::Refunded;
        let update = self
            .update_by_id::<payment::Entity>(id.uuid())
            .col_expr(payment::Column::State, payment.state.as_str().into());
        self.update_at_commit(update);
        let state: OrderState = order.state.parse()?;
        let order_state = state.can_become(OrderState::Refunded).then_some(OrderState::Refunded);
        if let Some(state) = order_state {
            self.set_order_state(payment.order, state);
        }
        self.append_to_outbox(OutboxEvent::OrderRefunded { order: payment.order })?;
        Ok(Refund { payment, is_new: true, order_state })
    }
}

impl CancelStore for TenantStore {
    async fn cancel(
        &self,
        id: OrderId,
        canceller: Canceller,
        request: &IdempotentRequest<Order>,
    ) -> Result<Idempotent<Order>, CancelError> {
        self.repeated(|| async {
            let scope = self.write("cancel").await?;
            if let Claim::Completed(response) = scope.claim::<_, CancelError>(request, id.uuid()).await? {
                return Ok(Idempotent::Replayed(response));
            }
            let found = scope.lock_payment_and_order(payment::Column::OrderId.eq(id.uuid())).await?;
            let (payment, row) = found.ok_or(CancelError::NotFound)?;
            let order = scope.with_items(row).await?;
            canceller.check(&order)?;
            let order = order.in_state(OrderState::Cancelled);
            scope.set_order_state(id, order.state);
            scope.release_stock(&order).await?;
            // The payment is due immediately, so that the reconciler voids it.
            let update = scope
                .update_by_id::<payment::Entity>(payment.id.uuid())
                .col_expr(payment::Column::ReconcileAt, Expr::value(scope.now()));
            scope.update_at_commit(update);
            scope.record(request, &order);
            scope.commit().await?;
            OrderCancelled { order_id: &order.id }.emit(&self.pool().business);
            Ok(Idempotent::Executed(order))
        })
        .await
    }
}
