//! The handle of the commands `seed` and `demo`: writes example data.

use std::collections::BTreeMap;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{PaymentId, ProductId, TenantId};
use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::outbox::OutboxEvent;
use glasshouse_domain::payment::PaymentState;
use time::OffsetDateTime;

use super::entity::outbox_message;
use super::orders::NewOrderRows;
use super::{Database, Directory, TenantStore};

/// Writes example data into any tenant, for commands of the operator.
///
/// A handler cannot create one to reach another tenant: a seeder takes the [`Database`] by value, which a handler never
/// owns. The command opens a pool of its own for it.
#[derive(Debug)]
pub struct Seeder {
    database: Database,
}

impl Seeder {
    /// A seeder that owns this pool.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Sign-up and login.
    #[must_use]
    pub fn directory(&self) -> Directory {
        self.database.directory()
    }

    /// The rows of a tenant.
    #[must_use]
    pub fn tenant(&self, tenant: TenantId) -> TenantStore {
        TenantStore::open(self.database.pool(), tenant)
    }

    /// Writes finished orders without checkout, in one transaction. Nothing is charged. The units of the orders count as
    /// received and sold, and the messages that were delivered after `retained_since` are written too, so that the books
    /// of the database balance.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_orders(
        &self,
        tenant: TenantId,
        orders: &[Order],
        retained_since: OffsetDateTime,
    ) -> Result<(), StoreFailure> {
        let store = self.tenant(tenant);
        let scope = store.write("seed_orders").await?;
        let (mut order_rows, mut item_rows, mut payment_rows) = (Vec::new(), Vec::new(), Vec::new());
        for order in orders {
            let mut rows =
                NewOrderRows::new(tenant.uuid(), order, PaymentId::new(), store.pool().reconcile_after);
            rows.payment.state = payment_state(order.state).as_str().to_owned();
            order_rows.push(rows.order);
            item_rows.extend(rows.items);
            payment_rows.push(rows.payment);
        }
        scope.insert(order_rows).await?;
        scope.insert(item_rows).await?;
        scope.insert(payment_rows).await?;
        scope.receive_sold(&sold_units(orders)).await?;
        let retained = orders.iter().filter(|order| order.created_at >= retained_since);
        let mut messages = Vec::new();
        for order in retained {
            for event in events(order) {
                let message = outbox_message::Model::new(tenant, &event, order.created_at)?;
                messages.push(outbox_message::Model { delivered_at: Some(order.created_at), ..message });
            }
        }
        if !messages.is_empty() {
            scope.insert(messages).await?;
        }
        scope.commit().await
    }

    /// Closes the pool.
    pub async fn close(self) {
        self.database.close().await;
    }
}

/// The units of each product that live orders have taken.
fn sold_units(orders: &[Order]) -> Vec<(ProductId, i32)> {
    let mut units = BTreeMap::new();
    let live = orders.iter().filter(|order| matches!(order.state, OrderState::Paid | OrderState::Refunded));
    for item in live.flat_map(|order| &order.items) {
        *units.entry(item.product).or_default() += item.quantity.get();
    }
    units.into_iter().collect()
}

/// The events of a finished order.
fn events(order: &Order) -> Vec<OutboxEvent> {
    let paid = OutboxEvent::OrderPaid { order: order.id };
    match order.state {
        OrderState::Paid => vec![paid],
        OrderState::Refunded => vec![paid, OutboxEvent::OrderRefunded { order: order.id }],
        OrderState::Pending | OrderState::PaymentFailed | OrderState::Cancelled => Vec::new(),
    }
}

/// The state of a finished order's payment.
const fn payment_state(order: OrderState) -> PaymentState {
    match order {
        OrderState::Pending => PaymentState::Pending,
        OrderState::Paid => PaymentState::Succeeded,
        OrderState::PaymentFailed | OrderState::Cancelled => PaymentState::Declined,
        OrderState::Refunded => PaymentState::Refunded,
    }
}
