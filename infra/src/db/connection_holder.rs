//! The handle of the fault `held_connections`: takes connections from the pool.

use std::sync::Arc;

use glasshouse_telemetry::service::events::faults::FaultCouldNotHoldConnection;

use super::Pool;

/// Holds connections of the pool without using them.
#[derive(Clone, Debug)]
pub struct ConnectionHolder {
    pool: Arc<Pool>,
}

impl ConnectionHolder {
    pub(super) const fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Whether the database is Postgres. Only there can faults delay statements.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        !self.pool.is_sqlite()
    }

    /// Takes `count` connections, and never resolves. Dropping the future releases them.
    pub async fn hold(&self, count: u64) {
        let mut held = Vec::new();
        for _ in 0..count {
            // It has no transaction, which Postgres would end.
            match self.pool.acquire().await {
                Ok(connection) => held.push(connection),
                Err(error) => FaultCouldNotHoldConnection { error: &error }.emit(),
            }
        }
        std::future::pending::<()>().await;
    }
}
