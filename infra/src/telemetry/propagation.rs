//! How a trace crosses process borders: W3C `traceparent` and `baggage`, and Jaeger's `uber-trace-id` for
//! callers that still use it. Where a request has both, W3C wins.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_jaeger_propagator::Propagator as JaegerPropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Reads either format, and writes both.
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
            fields: ["traceparent", "tracestate", "baggage", "uber-trace-id"].map(str::to_owned),
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
        let context = self.baggage.extract_with_context(context, extractor);
        // The Jaeger propagator warns about each request without its header, so it is asked only where there
        // is one.
        if extractor.get("traceparent").is_none() && extractor.get("uber-trace-id").is_some() {
            return self.jaeger.extract_with_context(&context, extractor);
        }
        self.w3c.extract_with_context(&context, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

/// The trace that a carrier's headers continue.
#[must_use]
pub fn extract(carrier: &dyn Extractor) -> Context {
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(carrier))
}

/// The id of the current trace, if there is one.
#[must_use]
pub fn trace_id() -> Option<String> {
    let context = Context::current();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// The current span as a W3C `traceparent`, to be stored with work that is done later.
#[must_use]
pub fn traceparent() -> Option<String> {
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject_context(&Context::current(), &mut headers);
    headers.remove("traceparent")
}

/// The trace that a stored `traceparent` continues.
#[must_use]
pub fn from_traceparent(traceparent: &str) -> Context {
    let headers = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract(&headers)
}

/// Writes the current span into a carrier's headers.
pub fn inject(carrier: &mut dyn Injector) {
    let context = tracing::Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&context, carrier));
}
