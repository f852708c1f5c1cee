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
    pub(crate) fn capture<S>(&self, record: &Arc<LogRecord>, event: &Event<'_>, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if record.level > Level::INFO {
            return;
        }
        let span = unit(event, context);
        if record.level == Level::ERROR {
            self.capture_error(record, span.as_ref());
        }
        if let Some(span) = span
            && let Some(unit) = span.extensions().get::<Unit>()
        {
            unit.trail.add(record.clone());
        }
    }

    /// Captures a record as an error event of the unit with this span, unless it is the captured panic again.
    fn capture_error<'a, S>(&self, record: &LogRecord, span: Option<&SpanRef<'a, S>>)
    where
        S: Subscriber + LookupSpan<'a>,
    {
        let is_panic = record.target == panics::TARGET;
        let hub = span.and_then(|span| {
            let mut extensions = span.extensions_mut();
            let unit = extensions.get_mut::<Unit>()?;
            Some((unit.hub.clone(), unit.repeats_panic(is_panic)))
        });
        let (hub, is_repeated) = hub.unwrap_or_else(|| (Arc::new(Hub::new_from_top(&self.hub)), false));
        if !is_repeated {
            hub.capture_event(record.error_event(span.map(title), is_panic, &self.tags));
        }
    }
}
