//! Settings of background work.

use std::path::PathBuf;
use std::time::Duration;

use crate::environment::Reader;

/// The outbox relay, the payment reconciler and housekeeping.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// The folder of messages to users that have a secret; `None` rejects such messages.
    pub mail_folder: Option<PathBuf>,
    /// How often the relay polls the outbox.
    pub outbox_poll: Duration,
    /// How long a message is leased to the worker that took it.
    pub outbox_lease: Duration,
    /// The number of delivery attempts after which a message becomes a dead letter.
    pub outbox_max_attempts: u32,
    /// How long delivered messages are kept.
    pub outbox_retention: Duration,
    /// How often the reconciler polls for open payments.
    pub reconcile_poll: Duration,
    /// How long a payment is leased to the worker that took it.
    pub reconcile_lease: Duration,
    /// The maximum number of items of one lease.
    pub batch: u32,
    /// The maximum number of items that a job processes at the same time.
    pub concurrency: usize,
    /// How long a job may complete no round before it counts as stalled, beyond the pause between its rounds.
    pub stalled_after: Duration,
    /// How long idempotency keys are kept.
    pub idempotency_life: Duration,
}

impl WorkerSettings {
    pub(super) fn read(env: &mut Reader) -> Self {
        let batch = env.number("GLASSHOUSE_WORKER_BATCH", 50, 1..=1000);
        let concurrency = env.number("GLASSHOUSE_WORKER_CONCURRENCY", 8, 1..=100);
        let hours = env.number("GLASSHOUSE_IDEMPOTENCY_HOURS", 24, 1..=720);
        let max_attempts = env.number("GLASSHOUSE_OUTBOX_MAX_ATTEMPTS", 10, 1..=1000);
        Self {
            mail_folder: env.text("GLASSHOUSE_MAIL_DIR").map(PathBuf::from),
            outbox_poll: env.milliseconds("GLASSHOUSE_OUTBOX_POLL_MS", 500),
            outbox_lease: env.seconds("GLASSHOUSE_OUTBOX_LEASE_SECONDS", 30),
            outbox_max_attempts: u32::try_from(max_attempts).unwrap_or(10),
            outbox_retention: read_outbox_retention(env),
            reconcile_poll: env.milliseconds("GLASSHOUSE_RECONCILE_POLL_MS", 2_000),
            reconcile_lease: env.seconds("GLASSHOUSE_RECONCILE_LEASE_SECONDS", 30),
            batch: u32::try_from(batch).unwrap_or(50),
            concurrency: usize::try_from(concurrency).unwrap_or(8),
            stalled_after: env.seconds("GLASSHOUSE_WORKER_STALLED_SECONDS", 60),
            idempotency_life: Duration::from_secs(hours * 3600),
        }
    }
}

/// Reads how long delivered outbox messages are kept.
pub fn read_outbox_retention(env: &mut Reader) -> Duration {
    Duration::from_secs(env.number("GLASSHOUSE_OUTBOX_RETENTION_HOURS", 168, 1..=8760) * 3600)
}
