use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;

use super::{Round, Worker};
use glasshouse_infra::clock;

/// How often.
pub(super) const PERIOD: Duration = Duration::from_secs(600);

impl Worker {
    /// Removes what nobody needs any more.
    pub(super) async fn keep_house(&self) -> Result<Round, StoreFailure> {
        let older_than = clock::now() - self.config.idempotency_life;
        self.database.forget_idempotency_keys(older_than).await?;
        Ok(Round::Done)
    }
}
