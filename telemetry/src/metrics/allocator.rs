use prometheus::{Error, IntGauge, Registry};
use tikv_jemalloc_ctl::{epoch, stats};

use super::define::gauge;

/// What jemalloc has of the process's memory.
#[derive(Clone, Debug)]
pub(super) struct AllocatorMetrics {
    allocated: IntGauge,
    active: IntGauge,
    resident: IntGauge,
}

impl AllocatorMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let bytes = |what: &str, help: &str| gauge(registry, &format!("allocator_{what}_bytes"), help);
        Ok(Self {
            allocated: bytes("allocated", "Bytes that the program has allocated.")?,
            active: bytes("active", "Bytes in pages that hold at least one allocation.")?,
            resident: bytes("resident", "Bytes that the allocator holds in physical memory.")?,
        })
    }

    /// Brings the gauges up to date. What jemalloc does not tell keeps its last value.
    pub(super) fn measure(&self) {
        // The statistics are those of the last epoch.
        if epoch::advance().is_err() {
            return;
        }
        for (gauge, bytes) in [
            (&self.allocated, stats::allocated::read()),
            (&self.active, stats::active::read()),
            (&self.resident, stats::resident::read()),
        ] {
            if let Some(bytes) = bytes.ok().and_then(|bytes| bytes.try_into().ok()) {
                gauge.set(bytes);
            }
        }
    }
}
