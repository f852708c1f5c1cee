//! Injected faults.

use prometheus::Error;

use crate::metrics::{IntCounterVec, Registrar};

/// How often injected faults took effect.
#[derive(Clone, Debug)]
pub struct FaultMetrics {
    pub(crate) injected: IntCounterVec<1>,
}

impl FaultMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        let help = "Times that an injected fault took effect, by fault; only where faults are enabled.";
        Ok(Self { injected: registrar.int_counter_vec("fault_injected_total", help, ["fault"])? })
    }
}
