//! The outbox: what must happen outside the database because something happened inside it.
//!
//! A message is written in the transaction of the change that causes it, and delivered later, at least
//! once. Whoever receives it must cope with a repetition.

use tracing::Instrument;

use crate::failure::StoreFailure;
use crate::id::{MessageId, OrderId, TenantId};
use crate::values::{Email, Money};

/// Something that the world must be told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OutboxEvent {
    /// An order was paid: confirm it to the customer.
    OrderPaid {
        /// Which order.
        order: OrderId,
    },
    /// An order's money went back: tell the customer.
    OrderRefunded {
        /// Which order.
        order: OrderId,
    },
}

impl OutboxEvent {
    /// The kind, as it is stored and counted.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OrderPaid { .. } => "order_paid",
            Self::OrderRefunded { .. } => "order_refunded",
        }
    }

    /// The order that it is about.
    #[must_use]
    pub const fn order(&self) -> OrderId {
        match self {
            Self::OrderPaid { order } | Self::OrderRefunded { order } => *order,
        }
    }
}

/// A message that the relay has leased for delivery.
#[derive(Clone, Debug)]
pub struct OutboxMessage {
    /// Its id, the same at every attempt.
    pub id: MessageId,
    /// Whose message it is.
    pub tenant: TenantId,
    /// What to tell.
    pub event: OutboxEvent,
    /// The trace in which it was written, as a W3C `traceparent`.
    pub traceparent: Option<String>,
    /// How often its delivery was tried, this time included.
    pub attempt: u32,
}

/// What the customer is told, and where.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The message behind it; a receiver may use it to drop repetitions.
    pub message: MessageId,
    /// The customer's address.
    pub recipient: Email,
    /// What happened.
    pub event: OutboxEvent,
    /// The order's total.
    pub total: Money,
}

/// Tells customers what happened.
pub trait Notifier {
    /// Sends one notification.
    fn send(&self, notification: &Notification) -> impl Future<Output = Result<(), NotifyError>> + Send;
}

/// A notification could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("the notification could not be sent")]
pub struct NotifyError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What delivery needs from one tenant's storage.
pub trait OutboxStore {
    /// What to tell whom; `None` when the order does not exist any more.
    fn notification(
        &self,
        message: &OutboxMessage,
    ) -> impl Future<Output = Result<Option<Notification>, StoreFailure>> + Send;

    /// Marks the message as delivered: no attempt follows.
    fn mark_delivered(&self, message: MessageId) -> impl Future<Output = Result<(), StoreFailure>> + Send;
}

/// Why a message was not delivered. It stays in the outbox and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
    /// The notifier failed.
    #[error(transparent)]
    Notify(#[from] NotifyError),
}

/// Delivers one message. A crash after sending and before marking repeats it later: at least once.
///
/// # Errors
/// When the storage or the notifier fails; the message then stays in the outbox.
pub async fn deliver(
    store: &impl OutboxStore,
    notifier: &impl Notifier,
    message: &OutboxMessage,
) -> Result<(), DeliveryError> {
    if let Some(notification) = store.notification(message).await? {
        let span = tracing::info_span!("send_confirmation", order.id = %message.event.order());
        notifier.send(&notification).instrument(span).await?;
    }
    store.mark_delivered(message.id).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_names_its_kind() {
        let event = OutboxEvent::OrderPaid { order: OrderId::new() };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["kind"], event.kind());
        assert_eq!(serde_json::from_value::<OutboxEvent>(json).unwrap(), event);
    }
}
