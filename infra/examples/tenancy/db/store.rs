//! The handle of the rows of one tenant, with the queries of this service.

use std::sync::Arc;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{OrderId, TenantId};
use glasshouse_domain::outbox::{Delivery, OutboxEvent, OutboxMessage};

use super::Pool;
use super::entity::{TenantQueries, order, outbox_message};
use super::scope::Scope;

#[derive(Clone, Debug)]
pub(crate) struct TenantStore {
    pool: Arc<Pool>,
    tenant: TenantId,
}

impl TenantStore {
    pub(super) const fn open(pool: Arc<Pool>, tenant: TenantId) -> Self {
        Self { pool, tenant }
    }

    pub(super) async fn write(&self, operation: &'static str) -> Result<Scope, StoreFailure> {
        self.pool.begin(operation, self.tenant).await
    }

    /// Adds an order, and in the same transaction the message about it.
    pub(crate) async fn place_order(&self, title: &str) -> Result<OrderId, StoreFailure> {
        let scope = self.write("place_order").await?;
        let order = OrderId::new();
        let row = order::Model { id: order.uuid(), tenant_id: self.tenant.uuid(), title: title.to_owned() };
        let event = OutboxEvent::OrderPaid { order };
        scope.insert_at_commit([row]);
        scope.insert_at_commit([outbox_message::Model::new(self.tenant, &event, scope.now())?]);
        scope.commit().await?;
        Ok(order)
    }

    /// The titles of all orders.
    pub(crate) async fn orders(&self) -> Result<Vec<String>, StoreFailure> {
        let scope = self.write("orders").await?;
        let rows = scope.all_rows(scope.find::<order::Entity>()).await?;
        scope.commit().await?;
        Ok(rows.into_iter().map(|row| row.title).collect())
    }

    /// The title of an order; `None` if this tenant has no such order.
    pub(crate) async fn order(&self, order: OrderId) -> Result<Option<String>, StoreFailure> {
        let scope = self.write("order").await?;
        let row = scope.one_row(scope.find_by_id::<order::Entity>(order.uuid())).await?;
        scope.commit().await?;
        Ok(row.map(|row| row.title))
    }

    /// Marks a message as delivered.
    pub(crate) async fn delivered(&self, message: &OutboxMessage) -> Result<Delivery, StoreFailure> {
        self.complete_delivery(message).await
    }
}
