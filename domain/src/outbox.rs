//! The transactional outbox: messages that are written with the change that causes them, and delivered later.
//!
//! Delivery is at least once, so a receiver must accept repetitions.

use tracing::Instrument;

use crate::failure::StoreFailure;
use crate::id::{MessageId, OrderId};
use crate::values::{Email, Money};

/// An event that is delivered to the customer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OutboxEvent {
    /// An order was paid; the customer gets a confirmation.
    OrderPaid {
        /// The order.
        order: OrderId,
    },
    /// An order was refunded; the customer is notified.
    OrderRefunded {
        /// The order.
        order: OrderId,
    },
}

impl OutboxEvent {
    /// The kind as it is stored, and as the label `kind` of metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OrderPaid { .. } => "order_paid",
            Self::OrderRefunded { .. } => "order_refunded",
        }
    }

    /// The order that the event is about.
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
    /// The same at each delivery attempt.
    pub id: MessageId,
    /// The event to deliver.
    pub event: OutboxEvent,
    /// The trace that wrote the message, as a W3C `traceparent`.
    pub traceparent: Option<String>,
    /// The number of this delivery attempt, from 1.
    pub attempt: u32,
}

/// A notification for a customer.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The id of the outbox message, with which a receiver can recognize repetitions.
    pub message: MessageId,
    /// The e-mail address of the customer.
    pub recipient: Email,
    /// The event to report.
    pub event: OutboxEvent,
    /// The total of the order.
    pub total: Money,
}

/// The port to the service that notifies customers.
pub trait Notifier {
    /// Sends one notification. It may be sent more than once.
    fn send(&self, notification: &Notification) -> impl Future<Output = Result<(), NotifyError>> + Send;
}

/// A notification could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("the notification could not be sent")]
pub struct NotifyError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The port of delivery to one tenant's storage.
pub trait OutboxStore {
    /// The notification for a message; `None` if the order no longer exists.
    fn notification(
        &self,
        message: &OutboxMessage,
    ) -> impl Future<Output = Result<Option<Notification>, StoreFailure>> + Send;

    /// Marks the message as delivered, so that it is not leased again.
    fn mark_delivered(&self, message: MessageId) -> impl Future<Output = Result<(), StoreFailure>> + Send;
}

/// Why a message was not delivered. It stays in the outbox, and delivery is retried.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
    /// The notifier failed.
    #[error(transparent)]
    Notify(#[from] NotifyError),
}

/// Delivers one message. After a crash between sending and marking it as delivered, it is sent again.
///
/// # Errors
/// [`DeliveryError`] when the storage or the notifier fails; the message stays in the outbox.
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
    fn the_stored_json_names_the_kind() {
        let event = OutboxEvent::OrderPaid { order: OrderId::new() };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["kind"], event.kind());
        assert_eq!(serde_json::from_value::<OutboxEvent>(json).unwrap(), event);
    }
}
