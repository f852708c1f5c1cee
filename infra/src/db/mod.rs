//! The database: Postgres, or SQLite for the demo, behind the same stores.
//!
//! Rows of a tenant are reached through a [`TenantStore`] alone, which [`Database::tenant`] makes. The few
//! questions that come before a tenant is known are in [`directory`].

mod checkout;
mod connect;
pub mod directory;
mod entity;
mod failure;
mod idempotency;
mod orders;
mod outbox;
mod products;
mod refunds;
mod reports;
mod scope;
mod seed;
mod settlement;
mod statements;
mod stock;
mod users;

pub use connect::{ConnectError, DatabaseSettings};
pub use scope::TenantStore;
pub use seed::SeedOrders;

use std::sync::Arc;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::TenantId;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::faults::Faults;
use glasshouse_telemetry::metrics::{BusinessMetrics, DatabaseMetrics};

/// A pool of connections. Cloning it is cheap and shares the pool.
#[derive(Clone, Debug)]
pub struct Database {
    connection: DatabaseConnection,
    /// SQLite has one writer at a time: writers queue here, in order, instead of racing for its lock.
    sqlite_writer: Option<Arc<Semaphore>>,
    reconcile_after: Duration,
    /// How long to wait for a connection and its first answer.
    patience: Duration,
    metrics: DatabaseMetrics,
    business: BusinessMetrics,
    faults: Faults,
}

impl Database {
    /// The rows of one tenant, and no others.
    #[must_use]
    pub fn tenant(&self, tenant: TenantId) -> TenantStore {
        TenantStore::new(self.clone(), tenant)
    }

    /// The same pool, whose transactions are slow when `faults` say so.
    #[must_use]
    pub fn with_faults(self, faults: &Faults) -> Self {
        Self { faults: faults.clone(), ..self }
    }

    /// Asks the database whether it is there.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ping(&self) -> Result<(), StoreFailure> {
        self.connection.execute_unprepared("SELECT 1").await.map_err(failure::store_failure)?;
        Ok(())
    }

    /// Closes all connections, after those in use were given back.
    pub async fn close(&self) {
        if let Err(error) = self.connection.close_by_ref().await {
            tracing::warn!(%error, "database_close_failed");
        }
    }

    /// Brings the pool's gauges up to date.
    pub fn measure_pool(&self) {
        let (open, idle, max) = if self.is_sqlite() {
            let pool = self.connection.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        } else {
            let pool = self.connection.get_postgres_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        };
        self.metrics.set_pool(open, u32::try_from(idle).unwrap_or(u32::MAX), max);
    }

    /// The pool itself, for migrations and for checks in tests; it is bound to no tenant.
    #[must_use]
    pub const fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// A client span, in OpenTelemetry's terms for databases. It has no values, only the operation's name.
    fn operation_span(&self, operation: &'static str) -> tracing::Span {
        let system = if self.is_sqlite() { "sqlite" } else { "postgresql" };
        tracing::info_span!(
            "database",
            otel.name = operation,
            otel.kind = "client",
            db.system.name = system,
            db.operation.name = operation,
            otel.status_code = tracing::field::Empty,
        )
    }

    /// Gives up when the database does not answer at all. Its own statement time-out is of no use then, and
    /// a request would hang until its client has gone.
    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreFailure>>,
    ) -> Result<T, StoreFailure> {
        let silent = |elapsed: tokio::time::error::Elapsed| StoreFailure::Unavailable(elapsed.into());
        tokio::time::timeout(self.patience, answer).await.map_err(silent)?
    }

    /// Waits until this is SQLite's one writer; at once on Postgres, which has as many as it likes.
    async fn writers_turn(&self) -> Option<OwnedSemaphorePermit> {
        // The queue is never closed, so there is always a turn.
        self.sqlite_writer.clone()?.acquire_owned().await.ok()
    }

    /// Whether this is SQLite, and not Postgres.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.connection.get_database_backend() == DbBackend::Sqlite
    }
}
