use prometheus::{Error, IntCounterVec, Registry};

use super::define::counters;

/// Faults that were injected on request.
#[derive(Clone, Debug)]
pub struct FaultMetrics {
    injected: IntCounterVec,
}

impl FaultMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let help = "Times that an injected fault took effect, by fault; only where faults are enabled.";
        Ok(Self { injected: counters(registry, "fault_injected_total", help, &["fault"])? })
    }

    /// A fault took effect.
    pub fn injected(&self, fault: &str) {
        self.injected.with_label_values(&[fault]).inc();
    }
}
