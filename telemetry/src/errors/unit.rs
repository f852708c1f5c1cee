//! Units of work: requests and background jobs, each with a hub of Sentry's.

use std::sync::Arc;

use sentry::Hub;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::fields::Fields;

/// A span with one of these fields is a unit of work: a request, or a background job.
pub(super) const UNIT_FIELDS: [&str; 2] = ["request_id", "job"];

/// A unit of work; it lives in the unit's span. The span leads to the hub also on the threads to which the unit hands
/// work, where the hub is not bound.
pub(super) struct Unit {
    pub(super) hub: Arc<Hub>,
    /// A panic was captured, and the code that caught it has not logged it yet.
    panicked: bool,
}

impl Unit {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, panicked: false }
    }

    /// Whether this error is the captured panic, logged again by the code that caught it.
    pub(super) fn repeats_panic(&mut self, is_panic: bool) -> bool {
        std::mem::replace(&mut self.panicked, is_panic) && !is_panic
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
