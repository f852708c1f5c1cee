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
