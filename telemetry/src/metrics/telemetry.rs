//! Telemetry that was lost.

use prometheus::Error;

use super::{IntCounterVec, Registrar};
use crate::signals::dropped;

/// How much telemetry was dropped, by signal.
#[derive(Clone, Debug)]
pub(super) struct TelemetryMetrics {
    dropped: IntCounterVec<1>,
}

impl TelemetryMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        let help = "Spans (traces), log records (logs), error events (errors) and profiles of 10 seconds (profiles) \
                    dropped because their queue was full or their receiver failed, by signal.";
        Ok(Self { dropped: registrar.int_counter_vec("telemetry_dropped_total", help, ["signal"])? })
    }

    /// Updates the counters.
    pub(super) fn measure(&self) {
        for (signal, dropped) in dropped() {
            let counter = self.dropped.with([signal]);
            counter.inc_by(dropped.saturating_sub(counter.get()));
        }
    }
}
