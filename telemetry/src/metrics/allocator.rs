//! What the allocator (jemalloc) holds of the process's memory.

use prometheus::{Error, IntGauge};

use super::Registrar;

/// Bytes that the program has allocated, bytes in pages with at least one allocation, and resident bytes.
/// Exported with the feature `heap-profiling` alone.
#[derive(Clone, Debug)]
pub(super) struct AllocatorMetrics([IntGauge; 3]);

impl AllocatorMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        let gauges = [
            (
                "allocator_allocated_bytes",
                "Bytes allocated by the program; only with the feature `heap-profiling`.",
            ),
            (
                "allocator_active_bytes",
                "Bytes in pages that hold at least one allocation; only with the feature `heap-profiling`.",
            ),
            (
                "allocator_resident_bytes",
                "Bytes of physical memory held by the allocator; only with the feature `heap-profiling`.",
            ),
        ];
        let mut register = |(name, help)| {
            let gauge = IntGauge::new(name, help)?;
            registrar.describe(&gauge);
            if cfg!(feature = "heap-profiling") {
                registrar.export(gauge.clone())?;
            }
            Ok::<_, Error>(gauge)
        };
        let [allocated, active, resident] = gauges;
        Ok(Self([register(allocated)?, register(active)?, register(resident)?]))
    }

    /// Updates the gauges. One that jemalloc does not report keeps its last value.
    pub(super) fn measure(&self) {
        for (gauge, bytes) in self.0.iter().zip(statistics()) {
            if let Some(bytes) = bytes.and_then(|bytes| bytes.try_into().ok()) {
                gauge.set(bytes);
            }
        }
    }
}

#[cfg(feature = "heap-profiling")]
fn statistics() -> [Option<usize>; 3] {
    use tikv_jemalloc_ctl::{epoch, stats};

    // Statistics are those of the last epoch.
    if epoch::advance().is_err() {
        return [None; 3];
    }
    [stats::allocated::read(), stats::active::read(), stats::resident::read()].map(Result::ok)
}

#[cfg(not(feature = "heap-profiling"))]
const fn statistics() -> [Option<usize>; 3] {
    [None; 3]
}
