//! The handle of health checks and gauges.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_telemetry::events::Critical;
use glasshouse_telemetry::service::events::database::{DatabaseConnectionLost, DatabaseConnectionOk};
use time::OffsetDateTime;

use super::Pool;
use super::pool::{DialectSql, get};
use crate::pool::Sizes;

/// Measures the database and its pool. It gives no access to rows.
#[derive(Clone, Debug)]
pub struct DatabaseMonitor {
    pool: Arc<Pool>,
}

/// The outbox messages of all tenants that are not delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The number of messages that will be delivered.
    pub pending: i64,
    /// The time since the oldest of them was written; zero if there is none.
    pub oldest_age: Duration,
    /// The number of dead letters.
    pub dead_letters: i64,
}

/// The payments of all tenants that are pending, or whose requested refund is not completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenPayments {
    /// Their number.
    pub open: i64,
    /// How long the oldest of them has been open; zero if there is none.
    pub oldest_age: Duration,
}

const BACKLOG: DialectSql = DialectSql {
    sqlite: "SELECT count(*) AS pending, min(created_at) AS oldest, \
                    (SELECT count(*) FROM outbox_messages WHERE dead_lettered_at IS NOT NULL) AS dead_letters \
             FROM outbox_messages WHERE delivered_at IS NULL AND dead_lettered_at IS NULL",
    postgres: "SELECT pending, oldest, count_dead_letters() AS dead_letters FROM outbox_backlog()",
};

const OPEN_PAYMENTS: DialectSql = DialectSql {
    sqlite: "SELECT count(*) AS open, \
                    min(CASE WHEN state = 'pending' THEN created_at ELSE refund_requested_at END) AS oldest \
             FROM payments \
             WHERE state = 'pending' OR (state = 'succeeded' AND refund_requested_at IS NOT NULL)",
    postgres: "SELECT open, oldest FROM open_payments()",
};

impl DatabaseMonitor {
    pub(super) const fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Checks that the database responds.
    ///
    /// # Errors
    /// When it does not respond, no connection is available, or it is a file that is read-only.
    pub async fn ping(&self) -> Result<(), StoreFailure> {
        let answer = self.pool.retried_once(|| async {
            self.pool.check_file().await?;
            let mut connection = self.pool.acquire().await?;
            connection.execute_unprepared("SELECT 1").await?;
            connection.give_back();
            Ok(())
        });
        self.pool.with_timeout(answer).await
    }

    /// Records the result of a health check. Emits `database_connection_lost` when the database stops answering, and
    /// `database_connection_ok` when it answers again.
    pub fn record_health(&self, is_up: bool) {
        let Sizes { open, idle, max } = self.pool.connections.sizes();
        if !is_up && idle == 0 && open >= max {
            // The check waited for a connection of an exhausted pool, which says nothing about the database.
            return;
        }
        match (self.pool.is_reachable.swap(is_up, Ordering::Relaxed), is_up) {
            (true, false) => DatabaseConnectionLost { severity: Critical }.emit(),
            (false, true) => DatabaseConnectionOk {}.emit(),
            _ => {}
        }
    }

    /// Updates the pool's gauges.
    pub fn measure_pool(&self) {
        let Sizes { open, idle, max } = self.pool.connections.sizes();
        self.pool.metrics.set_pool(open, idle, max);
    }

    /// The outbox messages of all tenants that are not delivered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox_backlog(&self) -> Result<Backlog, StoreFailure> {
        let (rows, now) = self.pool.query_at(BACKLOG, |_| []).await?;
        let Some(row) = rows.first() else { return Ok(Backlog::default()) };
        Ok(Backlog {
            pending: get(row, "pending")?,
            oldest_age: age(get(row, "oldest")?, now),
            dead_letters: get(row, "dead_letters")?,
        })
    }

    /// The open payments of all tenants.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_payments(&self) -> Result<OpenPayments, StoreFailure> {
        let (rows, now) = self.pool.query_at(OPEN_PAYMENTS, |_| []).await?;
        let Some(row) = rows.first() else { return Ok(OpenPayments::default()) };
        Ok(OpenPayments { open: get(row, "open")?, oldest_age: age(get(row, "oldest")?, now) })
    }
}

/// The time from `oldest` to `now`; zero if there is no oldest item.
fn age(oldest: Option<OffsetDateTime>, now: OffsetDateTime) -> Duration {
    oldest.and_then(|oldest| Duration::try_from(now - oldest).ok()).unwrap_or_default()
}
