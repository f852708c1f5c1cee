//! Heap profiles: the memory in use by the code that allocated it, as jemalloc samples it.

use crate::events::profiles::HeapProfilesOff;
use pyroscope::backend::{BackendImpl, BackendReady, ReportData, jemalloc_backend};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// The source of heap profiles.
pub(super) struct Heap(BackendImpl<BackendReady>);

impl Heap {
    /// `None` if jemalloc takes no samples. It reads its settings from `MALLOC_CONF` before `main`.
    pub(super) fn start() -> Option<Self> {
        let started = jemalloc_backend().initialize();
        let hint = "set MALLOC_CONF=prof:true,prof_active:true,lg_prof_sample:19";
        started.inspect_err(|error| HeapProfilesOff { error, hint }.emit()).ok().map(Self)
    }

    /// The memory in use now, in the format of pprof.
    pub(super) fn profile(&mut self) -> Option<Vec<u8>> {
        match self.0.report().ok()?.data {
            ReportData::RawPprof(profile) => Some(profile),
            ReportData::Reports(_) => None,
        }
    }
}
