//! Housekeeping: deletes expired rows.

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;

use super::{Round, Worker};
use glasshouse_infra::clock;

/// The pause between two rounds.
pub(super) const PERIOD: Duration = Duration::from_secs(600);

/// The maximum number of messages that one statement deletes, so that it is short.
const BATCH: u32 = 1000;

impl Worker {
    /// Deletes expired idempotency keys and password resets, and a batch of the outbox messages whose retention is over.
    pub(super) async fn delete_expired(&self) -> Result<Round, StoreFailure> {
        let now = clock::now();
        self.housekeeping.delete_idempotency_keys(now - self.config.idempotency_life).await?;
        self.housekeeping.delete_password_resets(now).await?;
        let expiry = now - self.config.outbox_retention;
        Ok(Round::of(self.housekeeping.delete_delivered_messages(expiry, BATCH).await?, BATCH))
    }
}
