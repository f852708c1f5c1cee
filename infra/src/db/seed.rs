//! Many orders at once, for demonstrations and load tests.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::PaymentId;
use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::payment::PaymentState;

use super::orders::NewOrderRows;
use super::scope::TenantStore;

/// Finished orders to write without checkout: their stock is not taken and nobody is charged.
pub type SeedOrders = Vec<Order>;

impl TenantStore {
    /// Writes finished orders in one transaction, three statements for all of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seed_orders(&self, orders: &SeedOrders) -> Result<(), StoreFailure> {
        let scope = self.write("seed_orders").await?;
        let (mut order_rows, mut item_rows, mut payment_rows) = (Vec::new(), Vec::new(), Vec::new());
        for order in orders {
            let mut rows = NewOrderRows::new(
                self.tenant_id().uuid(),
                order,
                PaymentId::new(),
                self.database().reconcile_after,
            );
            rows.payment.state = payment_state(order.state).as_str().to_owned();
            order_rows.push(rows.order);
            item_rows.extend(rows.items);
            payment_rows.push(rows.payment);
        }
        scope.insert(order_rows).await?;
        scope.insert(item_rows).await?;
        scope.insert(payment_rows).await?;
        scope.commit().await
    }
}

/// Where the payment of a finished order stands.
const fn payment_state(order: OrderState) -> PaymentState {
    match order {
        OrderState::Pending => PaymentState::Pending,
        OrderState::Paid => PaymentState::Succeeded,
        OrderState::PaymentFailed | OrderState::Cancelled => PaymentState::Declined,
        OrderState::Refunded => PaymentState::Refunded,
    }
}
