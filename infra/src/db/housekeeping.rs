//! The handle of cleanup across all tenants.

use std::sync::Arc;

use glasshouse_domain::failure::StoreFailure;
use time::OffsetDateTime;

use super::Pool;
use super::pool::DialectSql;

/// Deletes expired rows of all tenants.
#[derive(Clone, Debug)]
pub struct Housekeeping {
    pool: Arc<Pool>,
}

const DELETE_IDEMPOTENT_REQUESTS: DialectSql = DialectSql {
    sqlite: "DELETE FROM idempotent_requests WHERE created_at < $1",
    postgres: "SELECT forget_idempotent_requests($1)",
};

/// The keys of the previous version.
const DELETE_IDEMPOTENCY_KEYS: DialectSql = DialectSql {
    sqlite: "DELETE FROM idempotency_keys WHERE created_at < $1",
    postgres: "SELECT forget_idempotency_keys($1)",
};

impl Housekeeping {
    pub(super) const fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Deletes the idempotency keys of all tenants that were claimed before `expiry`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_idempotency_keys(&self, expiry: OffsetDateTime) -> Result<(), StoreFailure> {
        let _permit = self.pool.sqlite_write_permit().await;
        self.pool.execute(DELETE_IDEMPOTENT_REQUESTS, [expiry.into()]).await?;
        self.pool.execute(DELETE_IDEMPOTENCY_KEYS, [expiry.into()]).await
    }
}
