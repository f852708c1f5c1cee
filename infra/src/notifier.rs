//! Sends notifications to customers. The only adapter writes a log record instead of an email, so that the path from
//! payment to confirmation runs without a mail server.

use glasshouse_domain::outbox::{Notification, Notifier, NotifyError};
use glasshouse_telemetry::service::events::outbox::NotificationSent;

/// Logs each notification, without its recipient.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogNotifier;

impl Notifier for LogNotifier {
    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        NotificationSent {
            message_id: &notification.message,
            order_id: &notification.event.order(),
            kind: notification.event.kind(),
        }
        .emit();
        Ok(())
    }
}
