//! Background work: the outbox relay, the payment reconciler and housekeeping. Any number of workers may run
//! concurrently: each leases the items that it processes.

mod batch;
mod housekeeping;
mod outbox_relay;
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

use self::batch::Terms;
use crate::config::WorkerSettings;
use crate::third_parties::ThirdParties;

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
        Self { queue, housekeeping, third_parties, notifier, config, faults, metrics }
    }

    /// Runs all jobs until `stop` is cancelled. The item that is being processed is finished.
    pub async fn run(&self, stop: &CancellationToken) {
        let config = &self.config;
        let relay = repeat("outbox_relay", config.outbox_poll, stop, || self.relay_outbox(stop));
        let reconciler = repeat("reconciler", config.reconcile_poll, stop, || self.reconcile_payments(stop));
        let housekeeping = repeat("housekeeping", housekeeping::PERIOD, stop, || self.delete_expired());
        futures_util::future::join3(relay, reconciler, housekeeping).await;
    }

    /// A lease of a batch, and the terms of processing it if it is requested now.
    fn lease(&self, length: Duration) -> (Lease, Terms) {
        let terms = Terms { concurrency: self.config.concurrency, expiry: Instant::now() + length };
        (Lease { length, at_most: self.config.batch }, terms)
    }
}

/// Runs rounds of a job in a loop, with a pause after each unless it had a full batch. A failed round is logged
/// and retried after the pause.
async fn repeat<F: Future<Output = Result<Round, StoreFailure>>>(
    job: &'static str,
    pause: Duration,
    stop: &CancellationToken,
    mut round: impl FnMut() -> F,
) {
    while !stop.is_cancelled() {
        match round().await {
            Ok(Round::Full) => continue,
            Ok(Round::Done) => {}
            Err(failure) => {
                BackgroundJobFailed { job, error: &with_causes(&failure) }.emit();
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
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
