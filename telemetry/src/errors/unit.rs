//! Units of work: requests and background jobs, each with a hub of Sentry's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sentry::Hub;
use sentry::protocol::Breadcrumb;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::MAX_BREADCRUMBS;
use crate::fields::Fields;
use crate::logs::LogRecord;

/// A span with one of these fields is a unit of work: a request, or a background job.
pub(super) const UNIT_FIELDS: [&str; 2] = ["request_id", "job"];

/// A unit of work; it lives in the unit's span. The span leads to the hub also on the threads to which the unit hands
/// work, where the hub is not bound.
pub(super) struct Unit {
    pub(super) hub: Arc<Hub>,
    pub(super) trail: Trail,
    /// A panic was captured, and the code that caught it has not logged it yet.
    panicked: bool,
}

impl Unit {
    /// The unit of a hub, whose events get the log records of the unit as breadcrumbs.
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        let trail = Trail::default();
        let of_events = trail.clone();
        hub.configure_scope(|scope| {
            scope.add_event_processor(move |mut event| {
                event.breadcrumbs.extend(of_events.breadcrumbs());
                Some(event)
            });
        });
        Self { hub, trail, panicked: false }
    }

    /// Whether this error is the captured panic, logged again by the code that caught it.
    pub(super) fn repeats_panic(&mut self, is_panic: bool) -> bool {
        std::mem::replace(&mut self.panicked, is_panic) && !is_panic
    }
}

/// The last log records of a unit. They become breadcrumbs when an event is captured: most units capture none.
#[derive(Clone, Default)]
pub(super) struct Trail(Arc<Mutex<VecDeque<Arc<LogRecord>>>>);

impl Trail {
    /// Adds a record, in place of the oldest one if there are too many.
    pub(super) fn add(&self, record: Arc<LogRecord>) {
        let mut records = self.records();
        if records.len() == MAX_BREADCRUMBS {
            records.pop_front();
        }
        records.push_back(record);
    }

    fn breadcrumbs(&self) -> Vec<Breadcrumb> {
        self.records().iter().map(|record| record.breadcrumb()).collect()
    }

    fn records(&self) -> MutexGuard<'_, VecDeque<Arc<LogRecord>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The span of the innermost unit of work that an event belongs to.
pub(super) fn unit<'a, S>(event: &Event<'_>, context: &'a Context<'_, S>) -> Option<SpanRef<'a, S>>
where
    S: Subscriber + for<'b> LookupSpan<'b>,
{
    context.event_scope(event)?.find(|span| span.extensions().get::<Unit>().is_some())
}

/// The name of a span in OpenTelemetry, such as `POST /v1/orders`.
pub(super) fn title<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> String {
    let extensions = span.extensions();
    let name = extensions.get::<Fields>().and_then(|fields| fields.get("otel.name")?.as_str());
    name.unwrap_or_else(|| span.name()).to_owned()
}
