//! Background work: delivers the outbox, settles open payments, forgets old idempotency keys. Any number of
//! workers may run side by side: each leases what it works on.

mod housekeeping;
mod outbox_relay;
mod reconciler;

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_infra::clock;
use glasshouse_infra::db::{Database, Housekeeping, Lease, WorkQueue};
use glasshouse_infra::faults::Faults;
use glasshouse_infra::notifier::LogNotifier;
use glasshouse_infra::payment_gateway::GatewayClient;
use glasshouse_telemetry::events::process::BackgroundJobFailed;
use glasshouse_telemetry::metrics::OutboxMetrics;
use glasshouse_telemetry::propagation;
use glasshouse_telemetry::with_causes;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::config::WorkerSettings;

/// What background work needs.
#[derive(Clone, Debug)]
pub struct Worker {
    queue: WorkQueue,
    housekeeping: Housekeeping,
    gateway: GatewayClient,
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
        gateway: GatewayClient,
        config: WorkerSettings,
        faults: Faults,
        metrics: OutboxMetrics,
    ) -> Self {
        let (queue, housekeeping) = (database.work_queue(), database.housekeeping());
        Self { queue, housekeeping, gateway, notifier: LogNotifier, config, faults, metrics }
    }

    /// Works until `stop`, and finishes the item in hand.
    pub async fn run(&self, stop: &CancellationToken) {
        let config = &self.config;
        let relay = repeat("outbox_relay", config.outbox_poll, stop, || self.relay_outbox(stop));
        let reconciler = repeat("reconciler", config.reconcile_poll, stop, || self.reconcile_payments(stop));
        let housekeeping = repeat("housekeeping", housekeeping::PERIOD, stop, || self.delete_expired());
        futures_util::future::join3(relay, reconciler, housekeeping).await;
    }

    /// A lease from now on.
    fn lease(&self, length: Duration) -> Lease {
        let due = clock::now();
        Lease { due, until: due + length, at_most: self.config.batch }
    }
}

/// Does one round after the other, with a pause between them unless the last round had a full batch. A round
/// that fails is logged and tried again after the pause.
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

/// Makes a span part of the trace in which its work was caused.
fn continue_trace(span: &Span, traceparent: Option<&str>) {
    if let Some(traceparent) = traceparent {
        // Only a span that is closed already refuses a parent.
        let _ = span.set_parent(propagation::from_traceparent(traceparent));
    }
}

/// How a round of work went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// There was as much as could be taken: there may be more.
    Full,
    /// Nothing is left for now.
    Done,
}

impl Round {
    fn of(taken: usize, batch: u32) -> Self {
        if taken >= usize::try_from(batch).unwrap_or(usize::MAX) { Self::Full } else { Self::Done }
    }
}
