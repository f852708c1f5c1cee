//! The layer: which log records are captured, and in which hub.

use std::sync::Arc;

use sentry::Hub;
use sentry::integrations::tracing::{EventMapping, SentryLayer};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::spans;
use super::unit::{UNIT_FIELDS, Unit, title, unit};
use crate::events::panics;
use crate::logs::{LogSchema, SpanField};

/// sentry-tracing's layer, run in the hub of the unit of work.
pub(crate) struct ErrorLayer<S> {
    sentry: SentryLayer<S>,
    hub: Arc<Hub>,
    /// The fields that become tags of error events and transactions.
    tags: Arc<[SpanField]>,
    /// The ratio of units whose transactions are sent: 0 to 1.
    traces_sample_rate: f64,
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
            span.extensions_mut().insert(Unit::new(hub));
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
