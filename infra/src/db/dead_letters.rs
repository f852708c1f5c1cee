//! The handle of the operator's command `dead-letters`.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{MessageId, TenantId};
use sea_orm::QueryResult;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Database;
use super::pool::{DialectSql, get};

/// Lists and requeues the dead letters of all tenants. It owns its pool, as the [`Seeder`](super::Seeder) does: a handler
/// cannot create one.
#[derive(Debug)]
pub struct DeadLetters {
    database: Database,
}

/// An outbox message whose delivery was given up.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DeadLetter {
    /// The message.
    pub id: MessageId,
    /// The tenant that it belongs to.
    pub tenant_id: TenantId,
    /// The kind of its event.
    pub kind: String,
    /// The number of delivery attempts.
    pub attempts: i32,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When its delivery was given up.
    #[serde(with = "time::serde::rfc3339")]
    pub dead_lettered_at: OffsetDateTime,
    /// Why its delivery was given up.
    pub reason: Option<String>,
}

/// The order is that in which they were given up.
const LIST: DialectSql = DialectSql {
    sqlite: "SELECT id, tenant_id, kind, attempts, created_at, dead_lettered_at, dead_letter_reason AS reason \
             FROM outbox_messages WHERE dead_lettered_at IS NOT NULL ORDER BY dead_lettered_at LIMIT $1",
    postgres: "SELECT id, tenant_id, kind, attempts, created_at, dead_lettered_at, reason FROM list_dead_letters($1)",
};

const REQUEUE: DialectSql = DialectSql {
    sqlite: "UPDATE outbox_messages \
             SET dead_lettered_at = NULL, dead_letter_reason = NULL, attempts = 0, available_at = $2 \
             WHERE dead_lettered_at IS NOT NULL AND ($1 IS NULL OR id = $1) RETURNING id",
    postgres: "SELECT id FROM requeue_dead_letters($1, $2)",
};

impl DeadLetters {
    /// A handle that owns this pool.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// The dead letters, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, at_most: u32) -> Result<Vec<DeadLetter>, StoreFailure> {
        let at_most = i32::try_from(at_most).unwrap_or(i32::MAX);
        let rows = self.database.pool().query(LIST, |_| [at_most.into()]).await?;
        rows.iter().map(dead_letter).collect()
    }

    /// Makes a dead letter due for delivery, with all of its attempts; all of them if `message` is `None`. Returns the
    /// number of requeued messages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn requeue(&self, message: Option<MessageId>) -> Result<usize, StoreFailure> {
        let pool = self.database.pool();
        let _permit = pool.sqlite_write_permit().await?;
        let message = message.map(|message| message.uuid());
        Ok(pool.query(REQUEUE, |now| [message.into(), now.into()]).await?.len())
    }

    /// Closes the pool.
    pub async fn close(self) {
        self.database.close().await;
    }
}

fn dead_letter(row: &QueryResult) -> Result<DeadLetter, StoreFailure> {
    Ok(DeadLetter {
        id: get::<Uuid>(row, "id")?.into(),
        tenant_id: get::<Uuid>(row, "tenant_id")?.into(),
        kind: get(row, "kind")?,
        attempts: get(row, "attempts")?,
        created_at: get(row, "created_at")?,
        dead_lettered_at: get(row, "dead_lettered_at")?,
        reason: get(row, "reason")?,
    })
}
