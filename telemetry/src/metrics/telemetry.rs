use prometheus::{Error, IntCounterVec, Registry};

use super::define::counters;
use crate::lost;

/// What telemetry lost.
#[derive(Clone, Debug)]
pub struct TelemetryMetrics {
    dropped: IntCounterVec,
}

impl TelemetryMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let help = "Spans, log lines, error reports and profiles that were dropped because their queue was full or their \
                    receiver failed.";
        Ok(Self { dropped: counters(registry, "telemetry_dropped_total", help, &["signal"])? })
    }

    /// Brings the counters up to date.
    pub(super) fn measure(&self) {
        for (signal, lost) in lost() {
            let counter = self.dropped.with_label_values(&[signal]);
            counter.inc_by(lost.saturating_sub(counter.get()));
        }
    }
}
