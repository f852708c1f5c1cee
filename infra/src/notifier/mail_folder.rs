//! A folder of e-mail messages, from which a mail server or a developer takes them.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use glasshouse_domain::outbox::Notification;
use glasshouse_domain::values::{ResetToken, Slug};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use crate::clock;

/// A folder with one file for each message (RFC 5322), which only the user of the process can read.
#[derive(Clone, Debug)]
pub(super) struct MailFolder(PathBuf);

impl MailFolder {
    /// The folder at this path, which is created with its first message.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Writes the message with the token of a password reset. The file has the name of the outbox message, so a repetition
    /// replaces it.
    pub(super) async fn write_password_reset(
        &self,
        notification: &Notification,
        tenant: &Slug,
        token: &ResetToken,
        expires_at: OffsetDateTime,
    ) -> io::Result<()> {
        let message = format!(
            "To: {to}\r\n\
             Date: {date}\r\n\
             Message-ID: <{id}@glasshouse>\r\n\
             Subject: Reset your password\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             \r\n\
             A new password was requested for {to} in the tenant {tenant}. If it was not you, do nothing.\r\n\
             Otherwise send this token with your new password to POST /v1/auth/password-reset/confirm\r\n\
             until {expiry}:\r\n\
             \r\n\
             {token}\r\n",
            to = notification.recipient.as_str(),
            date = clock::now().format(&Rfc2822).map_err(io::Error::other)?,
            id = notification.message,
            expiry = expires_at.truncate_to_second().format(&Rfc3339).map_err(io::Error::other)?,
            token = token.expose(),
        );
        let (folder, name) = (self.0.clone(), notification.message.to_string());
        let message = SecretString::from(message);
        let write = move || write(&folder, &name, message.expose_secret().as_bytes());
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?.map_err(|error| {
            let path = self.0.display();
            io::Error::new(error.kind(), format!("GLASSHOUSE_MAIL_DIR: cannot write to {path}: {error}"))
        })
    }
}

/// Writes a file under another name first: a reader never sees half a message.
fn write(folder: &Path, name: &str, message: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let (unfinished, finished) = (folder.join(format!(".{name}")), folder.join(format!("{name}.eml")));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(message)?;
    fs::rename(unfinished, finished)
}
