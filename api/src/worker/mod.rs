//! Background work: the outbox relay, the payment reconciler and housekeeping. Any number of workers may run
//! concurrently: each leases the items that it processes.

mod batch;
mod housekeeping;
mod outbox_relay;
mod progress;
mod reconciler;

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_infra::db::{Database, Housekeeping, Lease, WorkQueue};
use glasshouse_infra::faults::Faults;
use glasshouse_infra::notifier::LogNotifier;
use glasshouse_telemetry::propagation;
use glasshouse_telemetry::service::events::process::BackgroundJobFailed;
use glasshouse_telemetry::service::metrics::OutboxMetrics;
use glasshouse_telemetry::with_causes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

pub use self::progress::{Job, Progress};

use self::batch::Terms;
use crate::config::WorkerSettings;
use crate::third_parties::ThirdParties;

/// The maximum pause after a failed round.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// The background jobs of a process.
#[derive(Clone, Debug)]
pub struct Worker {
    queue: WorkQueue,
    housekeeping: Housekeeping,
    third_parties: ThirdParties,
    notifier: LogNotifier,
    config: WorkerSettings,
    faults: Faults,
    metrics: OutboxMetrics,
    progress: Progress,
}

impl Worker {
    /// A worker on `database`.
    #[must_use]
    pub fn new(
        database: &Database,
        third_parties: ThirdParties,
        config: WorkerSettings,
        faults: Faults,
        metrics: OutboxMetrics,
    ) -> Self {
        let (queue, housekeeping) = (database.work_queue(), database.housekeeping());
        let notifier = LogNotifier::new(config.mail_folder.clone(), faults.clone());
        let progress = Progress::new(|job| pause_after(job, &config) + config.stalled_after);
        Self { queue, housekeeping, third_parties, notifier, config, faults, metrics, progress }
    }

    /// The progress of the jobs.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Runs all jobs until `stop` is cancelled. Items that are being processed are finished.
    pub async fn run(&self, stop: &CancellationToken) {
        let relay = self.repeat(Job::OutboxRelay, stop, || self.relay_outbox(stop));
        let reconciler = self.repeat(Job::Reconciler, stop, || self.reconcile_payments(stop));
        let housekeeping = self.repeat(Job::Housekeeping, stop, || self.delete_expired());
        futures_util::future::join3(relay, reconciler, housekeeping).await;
    }

    /// Runs rounds of a job in a loop, with a pause after each unless it had a full batch. A failed round is logged and
    /// retried after a pause.
    async fn repeat<F: Future<Output = Result<Round, StoreFailure>>>(
        &self,
        job: Job,
        stop: &CancellationToken,
        mut round: impl FnMut() -> F,
    ) {
        while !stop.is_cancelled() {
            let mut pause = pause_after(job, &self.config);
            match round().await {
                Ok(round) => {
                    self.progress.completed(job);
                    if round == Round::Full {
                        continue;
                    }
                }
                Err(failure) => {
                    BackgroundJobFailed { job: job.as_str(), error: &with_causes(&failure) }.emit();
                    pause = pause.min(RETRY_PAUSE);
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// A lease of a batch, and the terms of processing it if it is requested now.
    fn lease(&self, length: Duration) -> (Lease, Terms) {
        let terms = Terms { concurrency: self.config.concurrency, expiry: Instant::now() + length };
        (Lease { length, at_most: self.config.batch }, terms)
    }
}

/// The pause after a round of a job.
const fn pause_after(job: Job, config: &WorkerSettings) -> Duration {
    match job {
        Job::OutboxRelay => config.outbox_poll,
        Job::Reconciler => config.reconcile_poll,
        Job::Housekeeping => housekeeping::PERIOD,
    }
}

/// Continues the trace that caused the work: sets its span as the parent.
fn continue_trace(span: &Span, traceparent: Option<&str>) {
    if let Some(traceparent) = traceparent {
        // This fails only for a span that is already closed.
        let _ = span.set_parent(propagation::from_traceparent(traceparent));
    }
}

/// The result of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// The batch was full: there may be more items.
    Full,
    /// The batch was not full: no item is left for now.
    Done,
}

impl Round {
    fn of(taken: usize, batch: u32) -> Self {
        if taken >= usize::try_from(batch).unwrap_or(usize::MAX) { Self::Full } else { Self::Done }
    }
}
