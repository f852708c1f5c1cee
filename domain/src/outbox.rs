//! The transactional outbox: messages that are written with the change that causes them, and delivered later.
//!
//! Delivery is at least once: a message is delivered again if its worker ended, or was frozen for longer than its lease. So a
//! receiver deduplicates by the id of the message, which is the same at each delivery.

use time::OffsetDateTime;
use tracing::Instrument;

use crate::failure::StoreFailure;
use crate::id::{MessageId, OrderId};
use crate::values::{Email, Money, ResetToken, Slug};

/// An event that is delivered to a customer or user.
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
    /// A password reset was requested; the user with this address, if there is one, gets a token.
    PasswordResetRequested {
        /// The address of the request.
        email: Email,
    },
}

impl OutboxEvent {
    /// The kind as it is stored, and as the label `kind` of metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OrderPaid { .. } => "order_paid",
            Self::OrderRefunded { .. } => "order_refunded",
            Self::PasswordResetRequested { .. } => "password_reset_requested",
        }
    }

    /// The order that the event is about; `None` if it is about no order.
    #[must_use]
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            Self::OrderPaid { order } | Self::OrderRefunded { order } => Some(*order),
            Self::PasswordResetRequested { .. } => None,
        }
    }
}

/// A message that the relay has leased for delivery.
#[derive(Clone, Debug)]
pub struct OutboxMessage {
    /// The same at each delivery attempt.
    pub id: MessageId,
    /// The event to deliver, unless this version cannot decode it.
    pub event: Result<OutboxEvent, UnreadableEvent>,
    /// The trace that wrote the message, as a W3C `traceparent`.
    pub traceparent: Option<String>,
    /// The number of this delivery attempt, from 1.
    pub attempt: u32,
}

impl OutboxMessage {
    /// The kind of the event; `unknown` if it cannot be decoded.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.event.as_ref().map_or("unknown", OutboxEvent::kind)
    }
}

/// A stored event that this version cannot decode, such as one of a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event cannot be decoded: {0}")]
pub struct UnreadableEvent(pub String);

/// A notification for a customer or user.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The id of the outbox message: the deduplication key, which is the same whenever the notification is sent.
    pub message: MessageId,
    /// The kind of the event.
    pub kind: &'static str,
    /// The e-mail address of the recipient.
    pub recipient: Email,
    /// What it reports.
    pub content: NotificationContent,
}

/// What a notification reports.
#[derive(Clone, Debug)]
pub enum NotificationContent {
    /// An order of the customer was paid or refunded.
    Order {
        /// The order.
        order: OrderId,
        /// The total of the order.
        total: Money,
    },
    /// The user may set a new password. A repetition has another token.
    PasswordReset {
        /// The slug of the user's tenant, which the reset requires.
        tenant: Slug,
        /// The token.
        token: ResetToken,
        /// When the token expires, in UTC.
        expires_at: OffsetDateTime,
    },
}

/// The port to the service that notifies customers and users.
pub trait Notifier {
    /// Sends one notification, with its id as the deduplication key. It may be sent more than once, also concurrently: the
    /// service at the other end must notify the customer once for each id.
    fn send(&self, notification: &Notification) -> impl Future<Output = Result<(), NotifyError>> + Send;
}

/// Why a notification was not sent.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The service of the notifier is unavailable. A retry may succeed.
    #[error("the notification could not be sent")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The service of the notifier rejected the notification. It would reject a retry too.
    #[error("the notification was rejected: {0}")]
    Rejected(String),
}

/// The port of delivery to one tenant's storage.
pub trait OutboxStore {
    /// The notification for an event; `None` if there is no recipient: the order no longer exists, or the address of a password
    /// reset belongs to no active user.
    fn notification(
        &self,
        message: MessageId,
        event: &OutboxEvent,
    ) -> impl Future<Output = Result<Option<Notification>, StoreFailure>> + Send;

    /// Marks the message as delivered, so that it is not leased again. Changes nothing if the message was leased again since
    /// this attempt.
    fn mark_delivered(
        &self,
        message: &OutboxMessage,
    ) -> impl Future<Output = Result<Delivery, StoreFailure>> + Send;
}

/// The end of an attempt that reached the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The message is delivered.
    Completed,
    /// The lease expired meanwhile, and another attempt has taken the message: the receiver may get it again.
    LeaseLost,
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
    /// The notifier failed.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// The event cannot be decoded.
    #[error(transparent)]
    Unreadable(#[from] UnreadableEvent),
    /// The message has had all of its attempts, and the last of them did not report its result: its worker ended.
    #[error("no attempt reported a result")]
    NoResult,
}

/// The next state of a message after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It is delivered again later.
    Retry,
    /// It becomes a dead letter: it is not delivered again until an operator requeues it.
    GiveUp,
}

impl DeliveryError {
    /// The next state of the message after attempt number `attempt` of at most `max_attempts`.
    #[must_use]
    pub const fn after(&self, attempt: u32, max_attempts: u32) -> AfterFailure {
        match self {
            Self::Notify(NotifyError::Rejected(_)) | Self::NoResult => AfterFailure::GiveUp,
            Self::Store(_) | Self::Notify(NotifyError::Unavailable(_)) | Self::Unreadable(_) => {
                if attempt < max_attempts { AfterFailure::Retry } else { AfterFailure::GiveUp }
            }
        }
    }
}

/// Delivers one message. After a crash between sending and marking it as delivered, it is sent again, but not more than
/// `max_attempts` times.
///
/// # Errors
/// [`DeliveryError`] when the message cannot be decoded, or the storage or the notifier fails.
pub async fn deliver(
    store: &impl OutboxStore,
    notifier: &impl Notifier,
    message: &OutboxMessage,
    max_attempts: u32,
) -> Result<Delivery, DeliveryError> {
    if message.attempt > max_attempts {
        return Err(DeliveryError::NoResult);
    }
    let event = message.event.as_ref().map_err(UnreadableEvent::clone)?;
    if let Some(notification) = store.notification(message.id, event).await? {
        let span = match event.order() {
            Some(order) => tracing::info_span!("send_confirmation", order.id = %order),
            None => tracing::info_span!("send_password_reset"),
        };
        notifier.send(&notification).instrument(span).await?;
    }
    Ok(store.mark_delivered(message).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_json_names_the_kind() {
        let email = Email::parse("ada@example.com").unwrap();
        for event in [
            OutboxEvent::OrderPaid { order: OrderId::new() },
            OutboxEvent::OrderRefunded { order: OrderId::new() },
            OutboxEvent::PasswordResetRequested { email },
        ] {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["kind"], event.kind());
            assert_eq!(serde_json::from_value::<OutboxEvent>(json).unwrap(), event);
        }
    }

    #[test]
    fn a_message_is_given_up_after_its_last_attempt_or_a_rejection() {
        let unreadable = DeliveryError::from(UnreadableEvent("of another version".to_owned()));
        let unavailable = DeliveryError::from(NotifyError::Unavailable("down".into()));
        for retried in [unreadable, unavailable] {
            assert_eq!(retried.after(1, 3), AfterFailure::Retry);
            assert_eq!(retried.after(2, 3), AfterFailure::Retry);
            assert_eq!(retried.after(3, 3), AfterFailure::GiveUp);
        }
        let rejected = DeliveryError::from(NotifyError::Rejected("no such address".to_owned()));
        assert_eq!(rejected.after(1, 3), AfterFailure::GiveUp);
    }
}
