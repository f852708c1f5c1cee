//! Housekeeping: deletes expired rows.

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;

use super::{Round, Worker};
use glasshouse_infra::clock;

/// The pause between two rounds.
pub(super) const PERIOD: Duration = Duration::from_secs(600);

impl Worker {
    /// Deletes the idempotency keys that have expired.
    pub(super) async fn delete_expired(&self) -> Result<Round, StoreFailure> {
        let expiry = clock::now() - self.config.idempotency_life;
        self.housekeeping.delete_idempotency_keys(expiry).await?;
        Ok(Round::Done)
    }
}
