//! Step 3 of checkout: applies the settlement of a payment, which the domain decides by the outcome at the gateway.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{OrderId, PaymentId, TenantId};
use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::outbox::OutboxEvent;
use glasshouse_domain::payment::{ChargeOutcome, PaymentState};
use glasshouse_domain::settlement::Settlement;
use glasshouse_domain::values::Currency;
use glasshouse_telemetry::service::events::payments::{PaymentDeclined, PaymentSucceeded};
use glasshouse_telemetry::service::metrics::{BusinessMetrics, Sale};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, UpdateMany};

use super::entity::{order, outbox_message, payment};
use super::scope::Scope;
use super::stock::Movement;

/// The result of a settlement.
pub(super) struct Settled {
    settlement: Settlement,
    payment: PaymentId,
    pub(super) order: OrderId,
    /// The state of the order after the settlement.
    pub(super) order_state: OrderState,
}

impl Settled {
    /// Whether the settlement is a sale, whose event reports the items of the order.
    pub(super) fn has_revenue(&self) -> bool {
        self.settlement == Settlement::Paid
    }

    /// Emits the event of the settlement. Must be called after the commit.
    pub(super) fn emit(
        &self,
        business: &BusinessMetrics,
        tenant: TenantId,
        outcome: &ChargeOutcome,
        order: Option<&Order>,
    ) {
        if self.settlement == Settlement::AlreadySettled {
            return;
        }
        let payment_id = &self.payment;
        let order_status = self.settlement.order_state().map(|state| state.as_str());
        match outcome {
            ChargeOutcome::Succeeded => {
                let tenant_id = tenant.to_string();
                let order = order.filter(|_| self.has_revenue());
                let sales = order.map(|order| sales(&tenant_id, order)).unwrap_or_default();
                PaymentSucceeded { payment_id, order_status, sales: &sales }.emit(business);
            }
            ChargeOutcome::Declined { reason } => {
                PaymentDeclined { payment_id, reason: reason.as_str(), order_status }.emit(business);
            }
        }
    }
}

/// The sales of an order in US dollars, by product. Other currencies have no metric.
fn sales<'a>(tenant_id: &'a str, order: &'a Order) -> Vec<Sale<'a>> {
    let in_dollars = order.items.iter().filter(|item| item.unit_price.currency() == Currency::USD);
    let sale = in_dollars.map(|item| {
        // Prometheus counters are floats, which represent cents exactly up to 90 trillion dollars.
        let cents = item.unit_price.minor() as f64 * f64::from(item.quantity.get());
        Sale { tenant_id, product: item.name.as_str(), usd: cents / 100.0 }
    });
    sale.collect()
}

impl Scope {
    /// Settles a payment and its order, at the commit. Idempotent: a settled payment stays unchanged.
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
        if settlement.releases_stock() {
            let order = self.with_items(order).await?;
            self.release_stock(&order).await?;
        }
        self.apply(settlement, id, (payment.order, order_state), outcome)
    }

    /// Applies a settlement at the commit. There is only a commit if payment and order, where they change, are still pending: for that, no
    /// query has to lock them before.
    pub(super) fn apply(
        &self,
        settlement: Settlement,
        payment: PaymentId,
        (order, order_state): (OrderId, OrderState),
        outcome: &ChargeOutcome,
    ) -> Result<Settled, StoreFailure> {
        // In the order in which the query locks the rows, so that no two transactions wait for each other.
        if let Some(state) = settlement.payment_state() {
            let update = self.settled_payment(payment, state, outcome, settlement.requires_refund());
            self.require_at_commit(update.filter(payment::Column::State.eq(PaymentState::Pending.as_str())));
        }
        if let Some(state) = settlement.order_state() {
            let update = self.order_in_state(order, state);
            self.require_at_commit(update.filter(order::Column::State.eq(OrderState::Pending.as_str())));
        }
        if let Some(event) = settlement.event(order) {
            self.append_to_outbox(event)?;
        }
        let order_state = settlement.order_state().unwrap_or(order_state);
        Ok(Settled { settlement, payment, order, order_state })
    }

    /// An update of the state of a payment.
    fn settled_payment(
        &self,
        id: PaymentId,
        state: PaymentState,
        outcome: &ChargeOutcome,
        requires_refund: bool,
    ) -> UpdateMany<payment::Entity> {
        let mut update = self
            .update_by_id::<payment::Entity>(id.uuid())
            .col_expr(payment::Column::State, state.as_str().into());
        if let ChargeOutcome::Declined { reason } = outcome {
            update = update.col_expr(payment::Column::DeclineReason, reason.as_str().into());
        }
        if requires_refund {
            update = update
                .col_expr(payment::Column::RefundRequestedAt, Expr::value(self.now()))
                .col_expr(payment::Column::ReconcileAt, Expr::value(self.now()));
        }
        update
    }

    /// Releases the stock that an order reserved.
    pub(super) async fn release_stock(&self, order: &Order) -> Result<(), StoreFailure> {
        let deltas: Vec<_> = order.items.iter().map(|item| (item.product, item.quantity.get())).collect();
        self.move_stock(&deltas, Movement::Release).await?;
        Ok(())
    }

    /// Adds a message for the relay, with the commit of the change that it reports.
    pub(super) fn append_to_outbox(&self, event: OutboxEvent) -> Result<(), StoreFailure> {
        let message = outbox_message::Model::new(self.tenant(), &event, self.now())?;
        self.insert_at_commit([message]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use glasshouse_telemetry::service::metrics::{ORDER_STATUSES, PAYMENT_OUTCOMES};

    use super::*;

    /// A series that is not there from the start has no increase for an alert to see.
    #[test]
    fn metrics_have_a_series_for_each_state() {
        let orders: Vec<_> = OrderState::ALL.iter().map(|state| state.as_str()).collect();
        assert_eq!(orders, ORDER_STATUSES);
        let decided = PaymentState::ALL.iter().filter(|state| **state != PaymentState::Pending);
        let outcomes: Vec<_> = decided.map(|state| state.as_str()).collect();
        assert_eq!(outcomes, PAYMENT_OUTCOMES);
    }
}
