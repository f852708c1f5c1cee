//! Recent telemetry: the last traces of this process with their spans and log records, in memory, for a page that shows them
//! without any other server.
//!
//! It is off unless [`SignalSettings::recent`](crate::SignalSettings::recent) has a [`RecentTelemetry`]. It then records every
//! trace, also those that the sampler does not send. What it holds is redacted as everything that leaves the process, and
//! bounded by a number of traces and a number of bytes: the oldest traces make room.

mod store;
mod view;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::SpanContext;
use opentelemetry_sdk::trace::SpanData;

use crate::logs::LogRecord;
use store::Store;

pub use opentelemetry::TraceId;
pub use view::{RecentRequest, RecentSpan, RecentTrace, SpanEvent};

/// Bounds of the memory of recent telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentBounds {
    /// The maximum number of traces.
    pub traces: usize,
    /// The maximum number of spans, and of log records, of one trace; what exceeds it is counted.
    pub of_trace: usize,
    /// The maximum size of all spans and log records, in bytes: an estimate of what they occupy.
    pub bytes: usize,
}

impl Default for RecentBounds {
    /// 1,000 traces, 500 spans and 500 log records of each, 16 MiB.
    fn default() -> Self {
        Self { traces: 1000, of_trace: 500, bytes: 16 * 1024 * 1024 }
    }
}

/// The recent traces of this process. Clones share them.
#[derive(Clone)]
pub struct RecentTelemetry(Arc<Mutex<Store>>);

impl fmt::Debug for RecentTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what it holds: that may be megabytes.
        f.debug_struct("RecentTelemetry").finish_non_exhaustive()
    }
}

impl RecentTelemetry {
    /// An empty memory with these bounds. It fills once telemetry is started with it.
    #[must_use]
    pub fn new(bounds: RecentBounds) -> Self {
        Self(Arc::new(Mutex::new(Store::new(bounds))))
    }

    /// The requests and messages that were completed after the one with this sequence number (0: all that are kept), oldest first, and of
    /// these the newest `limit`.
    #[must_use]
    pub fn requests_after(&self, sequence: u64, limit: usize) -> Vec<RecentRequest> {
        self.store().requests_after(sequence, limit)
    }

    /// A trace; `None` if it is not kept, or not any more.
    #[must_use]
    pub fn trace(&self, id: TraceId) -> Option<RecentTrace> {
        self.store().trace(id)
    }

    /// The estimated size of what is kept, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.store().bytes()
    }

    /// Opens the trace of a span that begins.
    pub(crate) fn begin(&self, span: &SpanContext) {
        self.store().begin(span.trace_id(), span.span_id());
    }

    /// Keeps a span that has ended. It is redacted already.
    pub(crate) fn end(&self, span: SpanData) {
        self.store().end(span);
    }

    /// Keeps a log record of a trace. It is redacted already.
    pub(crate) fn log(&self, record: Arc<LogRecord>) {
        if record.trace.is_valid() {
            self.store().log(record);
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
