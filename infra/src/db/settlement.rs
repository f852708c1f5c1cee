//! Step 3 of checkout: what the gateway's word changes, decided by the domain and applied here.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{MessageId, OrderId, PaymentId, TenantId};
use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::outbox::OutboxEvent;
use glasshouse_domain::payment::{ChargeOutcome, PaymentState};
use glasshouse_domain::settlement::Settlement;
use glasshouse_domain::values::Currency;
use glasshouse_telemetry::metrics::BusinessMetrics;
use glasshouse_telemetry::propagation;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter};

use super::entity::{outbox_message, payment};
use super::scope::Scope;
use super::stock::Among;
use crate::clock;

/// What a settlement came to.
pub(super) struct Settled {
    settlement: Settlement,
    /// The order that it was about.
    pub(super) order: OrderId,
    /// Where the order stands now.
    pub(super) order_state: OrderState,
}

impl Settled {
    /// Whether counting it needs the order.
    pub(super) fn brings_revenue(&self) -> bool {
        self.settlement == Settlement::Paid
    }

    /// Counts what changed; to be called once it is committed.
    pub(super) fn count(&self, business: &BusinessMetrics, tenant: TenantId, order: Option<&Order>) {
        if let Some(state) = self.settlement.payment_state() {
            business.payment(state.as_str());
        }
        if let Some(state) = self.settlement.order_state() {
            business.order(state.as_str());
        }
        if self.brings_revenue()
            && let Some(order) = order
        {
            for item in order.items.iter().filter(|item| item.unit_price.currency() == Currency::USD) {
                // A counter of Prometheus is a float; cents are exact up to 90 trillion dollars.
                let cents = item.unit_price.minor() as f64 * f64::from(item.quantity.get());
                business.revenue(&tenant.to_string(), item.name.as_str(), cents / 100.0);
            }
        }
    }
}

impl Scope {
    /// Settles a payment and its order; answers where the order stands then. The second time it changes
    /// nothing.
    pub(super) async fn settle(
        &self,
        id: PaymentId,
        outcome: &ChargeOutcome,
    ) -> Result<Settled, StoreFailure> {
        let found = self.lock_payment_and_order(payment::Column::Id.eq(id.uuid())).await?;
        let (payment, order) =
            found.ok_or_else(|| StoreFailure::Unexpected(format!("payment {id} does not exist").into()))?;
        let order_state: OrderState = order.state.parse()?;
        let settlement = Settlement::decide(payment.state, order_state, outcome);
        if let Some(state) = settlement.payment_state() {
            self.settle_payment(id, state, outcome, settlement.requires_refund()).await?;
        }
        if let Some(state) = settlement.order_state() {
            self.set_order_state(payment.order, state).await?;
        }
        if settlement.releases_stock() {
            let order = self.with_items(order).await?;
            self.release_stock(&order).await?;
        }
        if let Some(event) = settlement.event(payment.order) {
            self.append_to_outbox(event).await?;
        }
        let order_state = settlement.order_state().unwrap_or(order_state);
        Ok(Settled { settlement, order: payment.order, order_state })
    }

    async fn settle_payment(
        &self,
        id: PaymentId,
        state: PaymentState,
        outcome: &ChargeOutcome,
        requires_refund: bool,
    ) -> Result<(), StoreFailure> {
        let mut update = self
            .update::<payment::Entity>()
            .col_expr(payment::Column::State, state.as_str().into())
            .filter(payment::Column::Id.eq(id.uuid()));
        if let ChargeOutcome::Declined { reason } = outcome {
            update = update.col_expr(payment::Column::DeclineReason, reason.as_str().into());
        }
        if requires_refund {
            let now = clock::now();
            update = update
                .col_expr(payment::Column::RefundRequestedAt, Expr::value(now))
                .col_expr(payment::Column::ReconcileAt, Expr::value(now));
        }
        self.run(update).await?;
        Ok(())
    }

    /// Gives back to the stock what an order took.
    pub(super) async fn release_stock(&self, order: &Order) -> Result<(), StoreFailure> {
        let deltas: Vec<_> = order.items.iter().map(|item| (item.product, item.quantity.get())).collect();
        self.move_stock(&deltas, Among::All).await?;
        Ok(())
    }

    /// Leaves a message for the relay, in the transaction of what it tells.
    pub(super) async fn append_to_outbox(&self, event: OutboxEvent) -> Result<(), StoreFailure> {
        let now = clock::now();
        let message = outbox_message::Model {
            id: MessageId::new().uuid(),
            tenant_id: self.tenant().uuid(),
            kind: event.kind().to_owned(),
            event: serde_json::to_value(&event).map_err(|error| StoreFailure::Unexpected(error.into()))?,
            traceparent: propagation::traceparent(),
            attempts: 0,
            available_at: now,
            delivered_at: None,
            created_at: now,
        };
        self.insert([message]).await
    }
}
