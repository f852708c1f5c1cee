//! Housekeeping: deletes expired rows.

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;

use super::{Round, Worker};

/// The pause between two rounds.
pub(super) const PERIOD: Duration = Duration::from_secs(600);

/// The maximum number of messages that one statement deletes, so that it is short.
const BATCH: u32 = 1000;

impl Worker {
    /// Deletes expired idempotency keys and password resets, and a batch of the outbox messages whose retention is over.
    pub(super) async fn delete_expired(&self) -> Result<Round, StoreFailure> {
        self.housekeeping.delete_idempotency_keys(self.config.idempotency_life).await?;
        self.housekeeping.delete_password_resets().await?;
        let retention = self.config.outbox_retention;
        Ok(Round::of(self.housekeeping.delete_delivered_messages(retention, BATCH).await?, BATCH))
    }
}
