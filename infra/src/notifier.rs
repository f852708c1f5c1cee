//! Tells customers what happened. For now it writes a log line instead of an e-mail, so that the whole way
//! from payment to confirmation can be watched without a mail server.

use glasshouse_domain::outbox::{Notification, Notifier, NotifyError};
use glasshouse_telemetry::events::outbox::NotificationSent;

/// Logs that a notification was sent; never to whom.
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
