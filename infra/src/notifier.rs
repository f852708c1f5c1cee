//! Sends notifications to customers. The only adapter writes a log record instead of an email, so that the path from
//! payment to confirmation runs without a mail server.

use glasshouse_domain::outbox::{Notification, Notifier, NotifyError};
use glasshouse_telemetry::service::events::outbox::NotificationSent;

use crate::faults::Faults;

/// Logs each notification, without its recipient.
#[derive(Clone, Debug)]
pub struct LogNotifier {
    faults: Faults,
}

impl LogNotifier {
    /// A notifier that rejects notifications while `faults` has rejected notifications.
    #[must_use]
    pub const fn new(faults: Faults) -> Self {
        Self { faults }
    }
}

impl Notifier for LogNotifier {
    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        if self.faults.trigger_rejected_notification() {
            return Err(NotifyError::Rejected("an injected fault".to_owned()));
        }
        NotificationSent {
            message_id: &notification.message,
            order_id: &notification.event.order(),
            kind: notification.event.kind(),
        }
        .emit();
        Ok(())
    }
}
