use std::collections::VecDeque;
use std::time::SystemTime;

use backtrace::Backtrace;
use opentelemetry::Context as OtelContext;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use sentry::protocol::{Breadcrumb, Span};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::transport::Unsent;
use super::{Reporter, report};
use crate::events::panics;
use crate::fields::Fields;
use crate::logs::LogSchema;

/// A span with one of these fields is a unit of work: a request, or an item of background work.
const UNIT_FIELDS: [&str; 2] = ["request_id", "job"];
/// How many lines before an error are told with it.
const MAX_BREADCRUMBS: usize = 50;
/// How many spans of a unit are told.
const MAX_SPANS: usize = 200;

/// Reports errors, and keeps in mind what happened before in the same unit of work.
pub(crate) struct ReportLayer {
    reporter: Reporter,
    schema: LogSchema,
}

/// What happened so far in a unit of work; it lives in the unit's span.
#[derive(Default)]
struct Trail {
    breadcrumbs: VecDeque<Breadcrumb>,
    spans: Vec<Span>,
    /// A panic was reported, and whoever caught it has not logged it yet.
    panicked: bool,
}

/// When a span began, and what OpenTelemetry calls it, which is known once it is entered.
pub(super) struct Timing {
    pub(super) begun: SystemTime,
    pub(super) ids: Option<SpanContext>,
}

impl Trail {
    fn follow(&mut self, breadcrumb: Breadcrumb) {
        if self.breadcrumbs.len() == MAX_BREADCRUMBS {
            self.breadcrumbs.pop_front();
        }
        self.breadcrumbs.push_back(breadcrumb);
    }

    /// Whether this error is the panic that was reported when it happened, told again by who caught it.
    fn knows(&mut self, is_panic: bool) -> bool {
        let known = std::mem::replace(&mut self.panicked, is_panic);
        known && !is_panic
    }
}

impl ReportLayer {
    pub(super) const fn new(reporter: Reporter, schema: LogSchema) -> Self {
        Self { reporter, schema }
    }

    /// Whether this unit's timings are sent. It depends on the trace's id alone, so that every service decides
    /// the same.
    fn samples(&self, ids: &SpanContext) -> bool {
        let [.., a, b, c, d] = ids.trace_id().to_bytes();
        let share = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
        self.reporter.traces_sample_rate > 0.0 && share <= self.reporter.traces_sample_rate
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ReportLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let fields = attributes.metadata().fields();
        if UNIT_FIELDS.iter().any(|name| fields.field(name).is_some()) {
            span.extensions_mut().insert(Trail::default());
        }
        if self.reporter.traces_sample_rate > 0.0 {
            span.extensions_mut().insert(Timing { begun: SystemTime::now(), ids: None });
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(timing) = span.extensions_mut().get_mut::<Timing>()
            && timing.ids.is_none()
        {
            timing.ids = Some(OtelContext::current().span().span_context().clone());
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::INFO {
            return;
        }
        let line = self.schema.record(event, &context);
        let is_panic = line.target == panics::TARGET;
        let unit = context.event_scope(event).into_iter().flatten().find(is_unit);
        let name = unit.as_ref().map(title);
        let mut before = Vec::new();
        let mut known = false;
        if let Some(unit) = &unit
            && let Some(trail) = unit.extensions_mut().get_mut::<Trail>()
        {
            if level == Level::ERROR {
                before.extend(trail.breadcrumbs.iter().cloned());
                known = trail.knows(is_panic);
            }
            trail.follow(line.breadcrumb());
        }
        if level == Level::ERROR && !known {
            // Only where it happened is there a stack worth showing; the names of its functions are looked up later.
            let stack = is_panic.then(Backtrace::new_unresolved);
            let report = line.report(&self.reporter.origin, name, before, is_panic);
            self.reporter.outbox.put(Unsent::Error(Box::new(report), stack));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(Timing { begun, ids: Some(ids) }) = span.extensions_mut().remove::<Timing>() else { return };
        if !self.samples(&ids) {
            return;
        }
        let parent = span
            .parent()
            .and_then(|parent| parent.extensions().get::<Timing>()?.ids.as_ref().map(SpanContext::span_id));
        let own = {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<Fields>() else { return };
            report::span(fields, title(&span), begun, &ids, parent)
        };
        if let Some(trail) = span.extensions_mut().remove::<Trail>() {
            let timings = report::transaction(&self.reporter.origin, own, trail.spans);
            self.reporter.outbox.put(Unsent::Timings(Box::new(timings)));
            return;
        }
        if let Some(unit) = span.scope().skip(1).find(is_unit)
            && let Some(trail) = unit.extensions_mut().get_mut::<Trail>()
            && trail.spans.len() < MAX_SPANS
        {
            trail.spans.push(own);
        }
    }
}

fn is_unit<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> bool {
    span.extensions().get::<Trail>().is_some()
}

/// What OpenTelemetry calls the span, such as `POST /v1/orders`.
fn title<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> String {
    let extensions = span.extensions();
    let name = extensions.get::<Fields>().and_then(|fields| fields.get("otel.name")?.as_str());
    name.unwrap_or_else(|| span.name()).to_owned()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
