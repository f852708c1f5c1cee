//! The layer: which log records are captured, and in which hub.

use std::sync::Arc;

use sentry::Hub;
use sentry::integrations::tracing::{EventMapping, SentryLayer};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::spans;
use crate::events::panics;
use crate::fields::Fields;
use crate::logs::{LogSchema, SpanField};

/// A span with one of these fields is a unit of work: a request, or a background job.
const UNIT_FIELDS: [&str; 2] = ["request_id", "job"];

/// sentry-tracing's layer, run in the hub of the unit of work.
pub(crate) struct ErrorLayer<S> {
    sentry: SentryLayer<S>,
    hub: Arc<Hub>,
    /// The fields that become tags of error events and transactions.
    tags: Arc<[SpanField]>,
    /// The ratio of units whose transactions are sent: 0 to 1.
    traces_sample_rate: f64,
}

/// A unit of work; it lives in the unit's span. The span leads to the hub also on the threads to which the unit hands
/// work, where the hub is not bound.
pub(super) struct Unit {
    pub(super) hub: Arc<Hub>,
    /// A panic was captured, and the code that caught it has not logged it yet.
    panicked: bool,
}

impl Unit {
    /// Whether this error is the captured panic, logged again by the code that caught it.
    fn repeats_panic(&mut self, is_panic: bool) -> bool {
        std::mem::replace(&mut self.panicked, is_panic) && !is_panic
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> ErrorLayer<S> {
    pub(super) fn new(
        hub: Arc<Hub>,
        schema: LogSchema,
        tags: Arc<[SpanField]>,
        traces_sample_rate: f64,
    ) -> Self {
        let of_events = tags.clone();
        let sentry = sentry::integrations::tracing::layer()
            .span_filter(|_| false)
            .event_mapper(move |event, context| capture(&schema, &of_events, event, &context));
        Self { sentry, hub, tags, traces_sample_rate }
    }

    fn new_hub(&self) -> Arc<Hub> {
        Arc::new(Hub::new_from_top(&self.hub))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ErrorLayer<S> {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let fields = attributes.metadata().fields();
        if UNIT_FIELDS.iter().any(|name| fields.field(name).is_some())
            && let Some(span) = context.span(id)
        {
            let bound = Some(Hub::current()).filter(|hub| hub.client().is_some());
            let hub = bound.unwrap_or_else(|| self.new_hub());
            span.extensions_mut().insert(Unit { hub, panicked: false });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() > Level::INFO {
            return;
        }
        let hub = unit(event, &context).and_then(|unit| Some(unit.extensions().get::<Unit>()?.hub.clone()));
        let hub = hub.unwrap_or_else(|| self.new_hub());
        Hub::run(hub, || self.sentry.on_event(event, context));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if self.traces_sample_rate > 0.0
            && let Some(span) = context.span(id)
        {
            spans::start(&span, self.traces_sample_rate);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if self.traces_sample_rate > 0.0
            && let Some(span) = context.span(&id)
        {
            spans::finish(&span, &self.tags);
        }
    }
}

/// A log record as a breadcrumb, and as an error event if it is one.
fn capture<S>(
    schema: &LogSchema,
    tags: &[SpanField],
    event: &Event<'_>,
    context: &Context<'_, S>,
) -> EventMapping
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let record = schema.record(event, context);
    let breadcrumb = EventMapping::Breadcrumb(record.breadcrumb());
    if record.level != Level::ERROR {
        return breadcrumb;
    }
    let is_panic = record.target == panics::TARGET;
    let unit = unit(event, context);
    let is_repeated = unit.as_ref().is_some_and(|unit| {
        unit.extensions_mut().get_mut::<Unit>().is_some_and(|unit| unit.repeats_panic(is_panic))
    });
    if is_repeated {
        return breadcrumb;
    }
    let captured = record.error_event(unit.as_ref().map(title), is_panic, tags);
    EventMapping::Combined(vec![EventMapping::Event(Box::new(captured)), breadcrumb].into())
}

/// The span of the innermost unit of work that an event belongs to.
fn unit<'a, S>(event: &Event<'_>, context: &'a Context<'_, S>) -> Option<SpanRef<'a, S>>
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
