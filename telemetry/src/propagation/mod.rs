//! Context propagation: W3C `traceparent`, `tracestate` and `baggage`, and Jaeger's `uber-trace-id` for callers that still
//! send it. Where a request has both, W3C wins. A header that is not well-formed is as good as absent.

mod well_formed;

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry_jaeger_propagator::Propagator as JaegerPropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use well_formed::{BAGGAGE, TRACEPARENT, TRACESTATE, UBER_TRACE_ID};

/// Extracts either format, and injects both.
#[derive(Debug)]
pub struct W3cOrJaeger {
    w3c: TraceContextPropagator,
    baggage: BaggagePropagator,
    jaeger: JaegerPropagator,
    fields: [String; 4],
}

impl Default for W3cOrJaeger {
    fn default() -> Self {
        Self {
            w3c: TraceContextPropagator::new(),
            baggage: BaggagePropagator::new(),
            jaeger: JaegerPropagator::new(),
            fields: [TRACEPARENT, TRACESTATE, BAGGAGE, UBER_TRACE_ID].map(str::to_owned),
        }
    }
}

impl TextMapPropagator for W3cOrJaeger {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        self.w3c.inject_context(context, injector);
        self.baggage.inject_context(context, injector);
        self.jaeger.inject_context(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let headers = well_formed::headers(extractor);
        // Most requests begin a trace.
        if headers.is_empty() {
            return context.clone();
        }
        let context = self.baggage.extract_with_context(context, &headers);
        // The Jaeger propagator logs a warning for each request without its header.
        if !headers.contains_key(TRACEPARENT) && headers.contains_key(UBER_TRACE_ID) {
            return self.jaeger.extract_with_context(&context, &headers);
        }
        self.w3c.extract_with_context(&context, &headers)
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

/// The trace context in the headers of a request, without its `tracestate`, which spans would export.
#[must_use]
pub fn extract(carrier: &dyn Extractor) -> Context {
    let context = opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(carrier));
    let ids = without_state(context.span().span_context());
    // A context with invalid ids would count as a parent all the same.
    if ids.is_valid() { context.with_remote_span_context(ids) } else { context }
}

fn without_state(ids: &SpanContext) -> SpanContext {
    let state = TraceState::default();
    SpanContext::new(ids.trace_id(), ids.span_id(), ids.trace_flags(), ids.is_remote(), state)
}

/// The id of the current trace; `None` outside of any.
#[must_use]
pub fn trace_id() -> Option<String> {
    let context = Context::current();
    let span = context.span();
    span.span_context().is_valid().then(|| span.span_context().trace_id().to_string())
}

/// The current span as a W3C `traceparent`, to be stored with work that is done later; `None` outside of any trace.
#[must_use]
pub fn traceparent() -> Option<String> {
    let context = Context::current();
    let span = context.span();
    let ids = span.span_context();
    let flags = ids.trace_flags() & TraceFlags::SAMPLED;
    ids.is_valid().then(|| format!("00-{}-{}-{flags:02x}", ids.trace_id(), ids.span_id()))
}

/// The trace context of a stored `traceparent`, for the span of the work that continues the trace.
#[must_use]
pub fn from_traceparent(traceparent: &str) -> Context {
    let headers = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract(&headers)
}

/// Injects the current span into the headers of a request to another service. Only ids leave: `baggage` and `tracestate`
/// of the caller may hold anything, and do not belong to third parties.
pub fn inject(carrier: &mut dyn Injector) {
    let ids = tracing::Span::current().context().span().span_context().clone();
    let context = Context::new().with_remote_span_context(without_state(&ids));
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&context, carrier));
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_third_party_gets_the_ids_of_the_trace_and_no_baggage() {
        opentelemetry::global::set_text_map_propagator(W3cOrJaeger::default());
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let incoming = HashMap::from([
            ("traceparent".to_owned(), format!("00-{trace}-00f067aa0ba902b7-01")),
            ("tracestate".to_owned(), "vendor=secret".to_owned()),
            ("baggage".to_owned(), "token=secret".to_owned()),
        ]);
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let subscriber =
            tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
        let mut outgoing = HashMap::new();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request");
            span.set_parent(extract(&incoming)).unwrap();
            span.in_scope(|| inject(&mut outgoing));
        });
        assert!(outgoing["traceparent"].starts_with(&format!("00-{trace}-")), "{outgoing:?}");
        assert!(!format!("{outgoing:?}").contains("secret"), "{outgoing:?}");
    }
}
