//! The handle of cleanup across all tenants.

use std::sync::Arc;
use std::time::Duration;

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

const DELETE_PASSWORD_RESETS: DialectSql = DialectSql {
    sqlite: "DELETE FROM password_resets WHERE expires_at < $1",
    postgres: "SELECT forget_password_resets($1)",
};

const DELETE_DELIVERED_MESSAGES: DialectSql = DialectSql {
    sqlite: "DELETE FROM outbox_messages WHERE id IN ( \
                 SELECT id FROM outbox_messages WHERE delivered_at < $1 ORDER BY delivered_at LIMIT $2) \
             RETURNING id",
    postgres: "SELECT id FROM delete_delivered_outbox_messages($1, $2)",
};

impl Housekeeping {
    pub(super) const fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Deletes the idempotency keys of all tenants that were claimed longer than `life` ago.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_idempotency_keys(&self, life: Duration) -> Result<(), StoreFailure> {
        let _permit = self.pool.sqlite_write_permit().await?;
        self.pool.execute(DELETE_IDEMPOTENT_REQUESTS, |now| [(now - life).into()]).await?;
        self.pool.execute(DELETE_IDEMPOTENCY_KEYS, |now| [(now - life).into()]).await
    }

    /// Deletes the password resets of all tenants that have expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_password_resets(&self) -> Result<(), StoreFailure> {
        let _permit = self.pool.sqlite_write_permit().await?;
        self.pool.execute(DELETE_PASSWORD_RESETS, |now| [now.into()]).await
    }

    /// Deletes outbox messages of all tenants that were delivered longer than `retention` ago, at most this many. Returns
    /// the number of deleted messages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_delivered_messages(
        &self,
        retention: Duration,
        at_most: u32,
    ) -> Result<usize, StoreFailure> {
        let _permit = self.pool.sqlite_write_permit().await?;
        let at_most = i32::try_from(at_most).unwrap_or(i32::MAX);
        let values = |now: OffsetDateTime| [(now - retention).into(), at_most.into()];
        Ok(self.pool.query(DELETE_DELIVERED_MESSAGES, values).await?.len())
    }
}
