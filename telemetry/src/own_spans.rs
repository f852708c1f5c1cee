//! Which spans are made: those of the service itself, and of these only the ones that are seen.
//!
//! A library's spans are not made: their fields bring text that a client sent. Nor is a span inside of a trace that is not
//! recorded, unless log records inherit its fields: nothing would show it, and making it costs as much as recording it. Log records
//! inside of it belong to the span around it.

use opentelemetry::Context as OtelContext;
use opentelemetry::trace::TraceContextExt;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::logs::LogSchema;

/// A layer that decides for all layers which spans are made. All events pass.
#[derive(Debug)]
pub(crate) struct OwnSpans {
    schema: LogSchema,
    /// Whether the spans of a trace that is not recorded are made too, because another signal shows them.
    unrecorded: bool,
}

impl OwnSpans {
    /// The filter for these log records. `unrecorded`: whether another signal than traces shows spans.
    pub(crate) const fn new(schema: LogSchema, unrecorded: bool) -> Self {
        Self { schema, unrecorded }
    }

    /// What is known of a span before it begins.
    fn interest(&self, metadata: &Metadata<'_>) -> Interest {
        if metadata.is_event() {
            Interest::always()
        } else if !self.schema.trusted.wrote(metadata) {
            Interest::never()
        } else if self.unrecorded || self.schema.inherits_from(metadata) {
            Interest::always()
        } else {
            Interest::sometimes()
        }
    }
}

impl<S: Subscriber> Layer<S> for OwnSpans {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.interest(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let interest = self.interest(metadata);
        interest.is_always() || (interest.is_sometimes() && is_shown())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }
}

/// Whether a span that begins now would be recorded, or begins a trace, which may be.
fn is_shown() -> bool {
    let context = OtelContext::current();
    !context.has_active_span() || context.span().is_recording()
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing::{Dispatch, info_span};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::redaction::Redactor;
    use crate::trusted::TrustedModules;
    use crate::{Build, SpanField};

    /// Runs `work` with spans of this sampler.
    fn with_spans(sampler: Sampler, unrecorded: bool, work: impl FnOnce()) {
        let fields = [SpanField::new("request_id", "request_id")];
        let build = Build { name: "shop", version: "1.0.0", commit: None };
        let schema = LogSchema::new(&fields, Redactor::default(), TrustedModules::new(build, &[]));
        let tracer = SdkTracerProvider::builder().with_sampler(sampler).build().tracer("test");
        let spans = tracing_opentelemetry::layer().with_tracer(tracer);
        let layers = spans.and_then(OwnSpans::new(schema, unrecorded));
        tracing::dispatcher::with_default(&Dispatch::new(tracing_subscriber::registry().with(layers)), work);
    }

    /// Which spans are made: the one of a request, one with a field that log records inherit inside of it, and one without.
    fn made() -> [bool; 3] {
        let request = info_span!("request", request_id = "r-1");
        let _inside = request.enter();
        let (unit, detail) = (info_span!("unit", request_id = "r-2"), info_span!("query"));
        [request.clone(), unit, detail].map(|span| !span.is_disabled())
    }

    #[test]
    fn a_span_that_nothing_shows_is_not_made() {
        with_spans(Sampler::AlwaysOn, false, || assert_eq!(made(), [true, true, true]));
        with_spans(Sampler::AlwaysOff, false, || assert_eq!(made(), [true, true, false]));
        with_spans(Sampler::AlwaysOff, true, || assert_eq!(made(), [true, true, true]));
    }

    #[test]
    fn a_span_outside_of_any_trace_is_made() {
        with_spans(Sampler::AlwaysOff, false, || assert!(!info_span!("start").is_disabled()));
    }
}
