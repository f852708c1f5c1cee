//! The handle of health checks and gauges.

use std::sync::Arc;

use glasshouse_domain::failure::StoreFailure;
use sea_orm::ConnectionTrait;
use time::OffsetDateTime;

use super::Pool;
use super::failure::store_failure;
use super::pool::DialectSql;

/// Measures the database and its pool. It gives no access to rows.
#[derive(Clone, Debug)]
pub struct DatabaseMonitor {
    pool: Arc<Pool>,
}

/// The undelivered outbox messages of all tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The number of undelivered messages.
    pub pending: i64,
    /// When the oldest of them was written.
    pub oldest: Option<OffsetDateTime>,
}

const BACKLOG: DialectSql = DialectSql {
    sqlite: "SELECT count(*) AS pending, min(created_at) AS oldest FROM outbox_messages WHERE delivered_at IS NULL",
    postgres: "SELECT pending, oldest FROM outbox_backlog()",
};

impl DatabaseMonitor {
    pub(super) const fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Checks that the database responds.
    ///
    /// # Errors
    /// When it does not respond, or no connection is available.
    pub async fn ping(&self) -> Result<(), StoreFailure> {
        self.pool.connection.execute_unprepared("SELECT 1").await.map_err(store_failure)?;
        Ok(())
    }

    /// Brings the pool's gauges up to date.
    pub fn measure_pool(&self) {
        let connection = &self.pool.connection;
        let (open, idle, max) = if self.pool.is_sqlite() {
            let pool = connection.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        } else {
            let pool = connection.get_postgres_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        };
        self.pool.metrics.set_pool(open, u32::try_from(idle).unwrap_or(u32::MAX), max);
    }

    /// The undelivered outbox messages of all tenants.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox_backlog(&self) -> Result<Backlog, StoreFailure> {
        let rows = self.pool.query(BACKLOG, []).await?;
        let Some(row) = rows.first() else { return Ok(Backlog { pending: 0, oldest: None }) };
        let pending = row.try_get("", "pending").map_err(store_failure)?;
        let oldest = row.try_get("", "oldest").map_err(store_failure)?;
        Ok(Backlog { pending, oldest })
    }
}
