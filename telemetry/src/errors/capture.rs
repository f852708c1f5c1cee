//! Which log records are captured, and in which hub.

use std::sync::Arc;

use sentry::Hub;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::unit::{Unit, title, unit};
use crate::events::panics;
use crate::logs::{LogRecord, SpanField};

/// Captures log records in the hub of the unit of work to which they belong.
pub(crate) struct Capture {
    hub: Arc<Hub>,
    /// The fields that become tags of error events.
    tags: Arc<[SpanField]>,
}

impl Capture {
    pub(super) const fn new(hub: Arc<Hub>, tags: Arc<[SpanField]>) -> Self {
        Self { hub, tags }
    }

    /// Captures the record of `event`: as an error event if it is one, and as a breadcrumb for those that follow in its unit of
    /// work. What is logged outside of all units belongs to none, so it becomes no breadcrumb.
    pub(crate) fn capture<S>(&self, record: &LogRecord, event: &Event<'_>, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if record.level > Level::INFO {
            return;
        }
        let span = unit(event, context);
        let hub = span.as_ref().and_then(|span| Some(span.extensions().get::<Unit>()?.hub.clone()));
        if record.level == Level::ERROR {
            let is_panic = record.target == panics::TARGET;
            let repeats = |span: &SpanRef<'_, S>| {
                span.extensions_mut().get_mut::<Unit>().is_some_and(|unit| unit.repeats_panic(is_panic))
            };
            if !span.as_ref().is_some_and(repeats) {
                let captured = record.error_event(span.as_ref().map(title), is_panic, &self.tags);
                let hub = hub.clone().unwrap_or_else(|| Arc::new(Hub::new_from_top(&self.hub)));
                hub.capture_event(captured);
            }
        }
        if let Some(hub) = hub {
            hub.add_breadcrumb(|| record.breadcrumb());
        }
    }
}
