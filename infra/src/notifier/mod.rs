//! Sends notifications to customers and users. The only adapter writes a log record instead of an email, so that the path from
//! payment to confirmation runs without a mail server. A secret that a user needs must not be in a log: such a message is
//! also a file in a folder.

mod mail_folder;

use std::fmt::Display;
use std::path::PathBuf;

use glasshouse_domain::outbox::{Notification, NotificationContent, Notifier, NotifyError};
use glasshouse_telemetry::service::events::outbox::NotificationSent;

use self::mail_folder::MailFolder;
use crate::faults::Faults;

/// Logs each notification, without its recipient and its secrets.
#[derive(Clone, Debug)]
pub struct LogNotifier {
    mail: Option<MailFolder>,
    faults: Faults,
}

impl LogNotifier {
    /// A notifier that writes messages with a secret to a folder, and rejects them if there is none. It rejects all
    /// notifications while `faults` has rejected notifications.
    #[must_use]
    pub fn new(mail_folder: Option<PathBuf>, faults: Faults) -> Self {
        Self { mail: mail_folder.map(MailFolder::new), faults }
    }
}

impl Notifier for LogNotifier {
    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        if self.faults.trigger_rejected_notification() {
            return Err(NotifyError::Rejected("an injected fault".to_owned()));
        }
        let order = match &notification.content {
            NotificationContent::Order { order, .. } => Some(order as &dyn Display),
            NotificationContent::PasswordReset { tenant, token, expires_at } => {
                let no_folder = || NotifyError::Rejected("GLASSHOUSE_MAIL_DIR is not set".to_owned());
                let mail = self.mail.as_ref().ok_or_else(no_folder)?;
                let written = mail.write_password_reset(notification, tenant, token, *expires_at).await;
                written.map_err(|error| NotifyError::Unavailable(error.into()))?;
                None
            }
        };
        NotificationSent { message_id: &notification.message, order_id: order, kind: notification.kind }
            .emit();
        Ok(())
    }
}
