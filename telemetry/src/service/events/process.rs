//! The life cycle of a process, and of one-shot commands.

use std::fmt::Display;

crate::events! {
    "process"

    /// A process starts.
    pub struct ApplicationStarting<'a>: INFO "application_starting" { version: &'a str }

    /// A process serves, at these addresses.
    pub struct ApplicationStarted<'a>: INFO "application_started" {
        http_addr: Option<&'a dyn Display>,
        management_addr: Option<&'a dyn Display>,
        gateway_addr: Option<&'a dyn Display>,
    }

    /// The public server accepts up to `connections`. The limit of open descriptors of the process, `descriptors`, allows
    /// that many, or fewer than `GLASSHOUSE_MAX_CONNECTIONS`, which is `configured`.
    pub struct ConnectionLimitSet<'a>: INFO "connection_limit_set" {
        connections: u64,
        configured: u64,
        descriptors: Option<&'a dyn Display>,
    }

    /// A process was asked to stop: it drains.
    pub struct ApplicationStopping: INFO "application_stopping" {}

    /// A process finished its requests and background work.
    pub struct ApplicationStopped: INFO "application_stopped" {}

    /// The grace period of a shutdown ended before all requests and background work did: `connections` open connections are
    /// cut with their requests, and background work, if `is_working`, will be repeated after its lease.
    pub struct ShutdownGraceExceeded: ERROR "shutdown_grace_exceeded" { connections: u64, is_working: bool }

    /// `migrate` applied the missing migrations.
    pub struct DatabaseMigrated: INFO "database_migrated" {}

    /// A migration could not get a lock in time, which a transaction of another client holds. `migrate` tries again.
    pub struct DatabaseMigrationBlocked<'a>: WARN "database_migration_blocked" { error: &'a str }

    /// `seed` added its data.
    pub struct DatabaseSeeded: INFO "database_seeded" { demo: bool, tenants: u32, orders: u32 }

    /// A round of background work failed; the next round tries again.
    pub struct BackgroundJobFailed<'a>: ERROR "background_job_failed" { job: &'a str, error: &'a str }
}
