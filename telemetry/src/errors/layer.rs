//! The layer that gives each unit of work its hub, and its transaction if it is sampled.

use std::sync::Arc;

use sentry::Hub;
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::spans;
use super::unit::{UNIT_FIELDS, Unit};
use crate::logs::SpanField;

/// See the module.
pub(crate) struct ErrorLayer {
    hub: Arc<Hub>,
    /// The fields that become tags of transactions.
    tags: Arc<[SpanField]>,
    /// The ratio of units whose transactions are sent: 0 to 1.
    traces_sample_rate: f64,
}

impl ErrorLayer {
    pub(super) const fn new(hub: Arc<Hub>, tags: Arc<[SpanField]>, traces_sample_rate: f64) -> Self {
        Self { hub, tags, traces_sample_rate }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ErrorLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let fields = attributes.metadata().fields();
        if UNIT_FIELDS.iter().any(|name| fields.field(name).is_some())
            && let Some(span) = context.span(id)
        {
            let bound = Some(Hub::current()).filter(|hub| hub.client().is_some());
            let hub = bound.unwrap_or_else(|| Arc::new(Hub::new_from_top(&self.hub)));
            span.extensions_mut().insert(Unit::new(hub));
        }
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
