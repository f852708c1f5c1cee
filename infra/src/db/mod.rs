//! The database: Postgres, or SQLite for the demo, behind the same handles.
//!
//! A [`Database`] is the connection pool of this process. It belongs to the composition root, which derives a narrow
//! handle for each use. No handle lets its caller choose the tenant:
//!
//! | handle | use |
//! | --- | --- |
//! | [`Directory`] | sign-up, login and password resets, which come before a tenant is known |
//! | [`Principals`](crate::principals::Principals) | authentication: opens the tenant of a verified token |
//! | [`WorkQueue`] | background work: leases items, each with the [`TenantStore`] of its tenant |
//! | [`Housekeeping`] | cleanup that concerns all tenants |
//! | [`DatabaseMonitor`] | health checks and gauges |
//! | [`ConnectionHolder`] | the fault `held_connections` |
//! | [`Plans`] | the operator's command `set-plan` |
//! | [`Seeder`] | the operator's commands `seed` and `demo` |
//! | [`DeadLetters`] | the operator's command `dead-letters` |
//! | [`Auditor`](audit::Auditor) | the operator's command `audit`, which reads one snapshot |

mod address;
pub mod audit;
mod caller_check;
mod checkout;
mod columns;
mod connect;
mod connection;
mod connection_holder;
mod connections;
mod dead_letters;
mod directory;
mod entity;
mod failure;
mod housekeeping;
mod idempotency;
mod limits;
mod meaning;
mod monitor;
mod open_transaction;
mod orders;
mod outbox;
mod outbox_attempts;
mod password_resets;
mod plans;
mod pool;
mod pooled_connection;
mod products;
mod queue_delay;
mod read;
mod refunds;
mod repetition;
mod reports;
mod scope;
mod seeder;
mod settlement;
mod sqlite_file;
mod statements;
mod stock;
mod suspicion;
mod tenant_store;
mod transaction;
mod users;
mod work_queue;
mod writable_file;
mod writes;

pub use address::{DatabaseAddress, InvalidDatabaseAddress};
pub(crate) use caller_check::CallerCheck;
pub use connect::{ConnectError, DatabaseSettings};
pub use connection_holder::ConnectionHolder;
pub use dead_letters::{DeadLetter, DeadLetters};
pub use directory::Directory;
pub use housekeeping::Housekeeping;
pub use monitor::{Backlog, DatabaseMonitor, OpenPayments};
pub use plans::Plans;
pub(crate) use pool::Pool;
pub use queue_delay::QueueDelay;
pub use seeder::Seeder;
pub use sqlite_file::{create_private_folder, protect as protect_sqlite_file};
pub use tenant_store::TenantStore;
pub use work_queue::{Lease, Leased, OpenPayment, WorkQueue};

use std::sync::Arc;
use std::time::Duration;

use glasshouse_telemetry::service::events::database::DatabaseCloseFailed;

use self::pool::InjectedDelay;

/// The connection pool of this process. It cannot be cloned: the composition root owns it, and handlers get one of the
/// handles instead.
#[derive(Debug)]
pub struct Database {
    pool: Arc<Pool>,
}

impl Database {
    /// The same pool, where each transaction begins with a statement that takes as long as `delay` returns.
    /// Postgres only.
    #[must_use]
    pub fn with_injected_delay(self, delay: impl Fn() -> Option<Duration> + Send + Sync + 'static) -> Self {
        let injected_delay = InjectedDelay(Some(Arc::new(delay)));
        Self { pool: Arc::new(Pool { injected_delay, ..Pool::clone(&self.pool) }) }
    }

    /// The handle of sign-up, login and password resets.
    #[must_use]
    pub fn directory(&self) -> Directory {
        Directory::new(self.pool())
    }

    /// The handle of background work.
    #[must_use]
    pub fn work_queue(&self) -> WorkQueue {
        WorkQueue::new(self.pool())
    }

    /// The handle of cleanup.
    #[must_use]
    pub fn housekeeping(&self) -> Housekeeping {
        Housekeeping::new(self.pool())
    }

    /// The handle of health checks and gauges.
    #[must_use]
    pub fn monitor(&self) -> DatabaseMonitor {
        DatabaseMonitor::new(self.pool())
    }

    /// How long transactions wait for their turn.
    #[must_use]
    pub fn queue_delay(&self) -> QueueDelay {
        self.pool.queue_delay.clone()
    }

    /// The handle of the fault `held_connections`.
    #[must_use]
    pub fn connection_holder(&self) -> ConnectionHolder {
        ConnectionHolder::new(self.pool())
    }

    /// Closes all connections. Waits until those in use are released.
    pub async fn close(&self) {
        if let Err(error) = self.pool.connections.close().await {
            DatabaseCloseFailed { error: &error }.emit();
        }
    }

    pub(crate) fn pool(&self) -> Arc<Pool> {
        self.pool.clone()
    }
}
