//! An OTLP receiver of spans.

use std::time::Duration;

use fake_opentelemetry_collector::{ExportedSpan, FakeCollectorServer};

use super::eventually;

/// The span id of the caller.
pub(crate) const CALLER: &str = "00f067aa0ba902b7";

/// A new trace id.
pub(crate) fn new_trace() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The header `traceparent` of a caller that samples the trace.
pub(crate) fn traceparent(trace: &str) -> String {
    format!("00-{trace}-{CALLER}-01")
}

/// Receives the spans of one or more processes over OTLP.
pub(crate) struct SpanReceiver {
    server: FakeCollectorServer,
    spans: Vec<ExportedSpan>,
}

impl SpanReceiver {
    pub(crate) async fn start() -> Self {
        Self { server: FakeCollectorServer::start().await.unwrap(), spans: Vec::new() }
    }

    /// Its OTLP endpoint.
    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Waits for a span of this trace with this name.
    pub(crate) async fn span(&mut self, trace: &str, name: &str) -> ExportedSpan {
        self.span_with(trace, name, &[]).await
    }

    /// Waits for a span of this trace with this name and these attributes.
    pub(crate) async fn span_with(
        &mut self,
        trace: &str,
        name: &str,
        attributes: &[(&str, &str)],
    ) -> ExportedSpan {
        eventually(&format!("the span {name} {attributes:?} arrives"), async || {
            self.receive().await;
            let is_it = |span: &&ExportedSpan| {
                let has = |(attribute, value): &(&str, &str)| has_attribute(span, attribute, value);
                span.trace_id == trace && span.name == name && attributes.iter().all(has)
            };
            self.spans.iter().find(is_it).map(copy)
        })
        .await
    }

    /// Whether a span of this trace with this name has arrived.
    pub(crate) async fn has(&mut self, trace: &str, name: &str) -> bool {
        self.receive().await;
        self.spans.iter().any(|span| span.trace_id == trace && span.name == name)
    }

    async fn receive(&mut self) {
        self.spans.extend(self.server.exported_spans(1, Duration::from_millis(50)).await);
    }
}

/// Whether a span has the status `error`.
pub(crate) fn has_failed(span: &ExportedSpan) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == "STATUS_CODE_ERROR")
}

/// Whether a span has this attribute, in any of the types that the receiver may format it as.
pub(crate) fn has_attribute(span: &ExportedSpan, attribute: &str, value: &str) -> bool {
    span.attributes.get(attribute).is_some_and(|found| found.contains(value))
}

fn copy(span: &ExportedSpan) -> ExportedSpan {
    ExportedSpan {
        trace_id: span.trace_id.clone(),
        span_id: span.span_id.clone(),
        trace_state: String::new(),
        parent_span_id: span.parent_span_id.clone(),
        name: span.name.clone(),
        kind: span.kind.clone(),
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
        attributes: span.attributes.clone(),
        dropped_attributes_count: 0,
        events: Vec::new(),
        dropped_events_count: 0,
        links: Vec::new(),
        dropped_links_count: 0,
        status: span.status.clone(),
    }
}
