//! What the outbox delivers to customers and users. The attempts themselves are in [`outbox_attempts`](super::outbox_attempts).

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{MessageId, OrderId};
use glasshouse_domain::outbox::{
    Delivery, Notification, NotificationContent, OutboxEvent, OutboxMessage, OutboxStore,
};
use glasshouse_domain::user::User;
use glasshouse_domain::values::Email;
use sea_orm::{ColumnTrait, QueryFilter};

use super::TenantStore;
use super::entity::{TenantQueries, order, user};

impl OutboxStore for TenantStore {
    async fn notification(
        &self,
        message: MessageId,
        event: &OutboxEvent,
    ) -> Result<Option<Notification>, StoreFailure> {
        let found = match event {
            OutboxEvent::OrderPaid { order } | OutboxEvent::OrderRefunded { order } => {
                self.order_notification(*order).await?
            }
            OutboxEvent::PasswordResetRequested { email } => self.open_password_reset(email).await?,
        };
        let kind = event.kind();
        Ok(found.map(|(recipient, content)| Notification { message, kind, recipient, content }))
    }

    async fn mark_delivered(&self, message: &OutboxMessage) -> Result<Delivery, StoreFailure> {
        self.complete_delivery(message).await
    }
}

impl TenantStore {
    /// The address of the customer of an order, and what to report. `None` if there is no such order.
    async fn order_notification(
        &self,
        order: OrderId,
    ) -> Result<Option<(Email, NotificationContent)>, StoreFailure> {
        let read = self.read("notification");
        let query = read.find_with::<order::Entity, user::Entity>();
        let row = read.one_pair(query.filter(order::Column::Id.eq(order.uuid()))).await?;
        let Some((row, customer)) = row else { return Ok(None) };
        let total = row.with_items(Vec::new())?.total;
        Ok(Some((User::try_from(customer)?.email, NotificationContent::Order { order, total })))
    }
}
