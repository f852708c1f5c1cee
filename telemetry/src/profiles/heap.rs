//! Which code holds the memory, as jemalloc samples it.

use crate::events::profiles::HeapProfilesOff;
use pyroscope::backend::{BackendImpl, BackendReady, ReportData, jemalloc_backend};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Heap profiles.
pub(super) struct Heap(BackendImpl<BackendReady>);

impl Heap {
    /// `None` if jemalloc was not told to take samples: it reads that from the environment, before us.
    pub(super) fn start() -> Option<Self> {
        let started = jemalloc_backend().initialize();
        let hint = "set MALLOC_CONF=prof:true,prof_active:true,lg_prof_sample:19";
        started.inspect_err(|error| HeapProfilesOff { error, hint }.emit()).ok().map(Self)
    }

    /// What is held now, in the format of pprof.
    pub(super) fn profile(&mut self) -> Option<Vec<u8>> {
        match self.0.report().ok()?.data {
            ReportData::RawPprof(profile) => Some(profile),
            ReportData::Reports(_) => None,
        }
    }
}
