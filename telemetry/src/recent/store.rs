//! The bounded memory of recent telemetry.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use super::RecentBounds;
use super::view::{RecentRequest, RecentTrace};
use crate::logs::LogRecord;

/// The traces that are kept, in the order in which they began here.
#[derive(Debug)]
pub(super) struct Store {
    bounds: RecentBounds,
    traces: HashMap<TraceId, Trace>,
    /// The ids of the traces, oldest first, and those of some that are no longer kept.
    order: VecDeque<TraceId>,
    /// Completed requests and messages, oldest first, in the order of their sequence numbers.
    requests: VecDeque<(u64, TraceId, SpanId)>,
    sequence: u64,
    bytes: usize,
}

/// What is kept of a trace.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// The spans of this process that have begun.
    begun: Vec<SpanId>,
    /// Those that have ended.
    pub(super) spans: Vec<SpanData>,
    pub(super) records: Vec<Arc<LogRecord>>,
    /// The number of spans and log records that did not fit.
    pub(super) omitted: usize,
    bytes: usize,
    /// Whether a request or a message is part of it.
    is_work: bool,
}

impl Store {
    pub(super) fn new(bounds: RecentBounds) -> Self {
        let (traces, order, requests) = (HashMap::new(), VecDeque::new(), VecDeque::new());
        Self { bounds, traces, order, requests, sequence: 0, bytes: 0 }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Opens the trace of a span, if it is the first one of its trace.
    pub(super) fn begin(&mut self, trace: TraceId, span: SpanId) {
        let limit = self.bounds.of_trace;
        if let Some(known) = self.traces.get_mut(&trace) {
            if known.begun.len() < limit {
                known.begun.push(span);
            }
            return;
        }
        self.order.push_back(trace);
        self.traces.insert(trace, Trace { begun: vec![span], ..Trace::default() });
        if self.order.len() > 2 * self.bounds.traces {
            self.order.retain(|id| self.traces.contains_key(id));
        }
        self.make_room();
    }

    /// Keeps a span that has ended. A trace of housekeeping alone, such as a poll of the database that no request caused, is
    /// dropped when its root ends: on an idle process these would soon be all that is left.
    pub(super) fn end(&mut self, span: SpanData) {
        let (id, span_id) = (span.span_context.trace_id(), span.span_context.span_id());
        let limit = self.bounds.of_trace;
        let Some(trace) = self.traces.get_mut(&id) else { return };
        let is_root = span.parent_span_id == SpanId::INVALID;
        let is_work = matches!(span.span_kind, SpanKind::Server | SpanKind::Consumer);
        trace.is_work |= is_work;
        if is_root && !trace.is_work && trace.records.is_empty() {
            self.remove(id);
            return;
        }
        // One whose cause is a span of this process is part of another one, which is the one to list.
        let is_request = is_work && !trace.begun.contains(&span.parent_span_id);
        if trace.spans.len() >= limit {
            trace.omitted += 1;
            return;
        }
        let size = size_of_span(&span);
        trace.bytes += size;
        trace.spans.push(span);
        self.bytes += size;
        if is_request {
            self.sequence += 1;
            self.requests.push_back((self.sequence, id, span_id));
            if self.requests.len() > self.bounds.traces {
                self.requests.pop_front();
            }
        }
        self.make_room();
    }

    /// Keeps a log record of a trace that is kept.
    pub(super) fn log(&mut self, record: Arc<LogRecord>) {
        let limit = self.bounds.of_trace;
        let Some(trace) = self.traces.get_mut(&record.trace.trace_id()) else { return };
        if trace.records.len() >= limit {
            trace.omitted += 1;
            return;
        }
        let size = record.size();
        trace.bytes += size;
        trace.records.push(record);
        self.bytes += size;
        self.make_room();
    }

    pub(super) fn requests_after(&self, sequence: u64, limit: usize) -> Vec<RecentRequest> {
        let newer = self.requests.iter().rev().take_while(|(number, ..)| *number > sequence);
        let found = newer.filter_map(|(number, trace, span)| {
            let spans = &self.traces.get(trace)?.spans;
            // The span of a request is the last one to end before those of the background.
            let span = spans.iter().rev().find(|kept| kept.span_context.span_id() == *span)?;
            Some(RecentRequest::new(*number, span))
        });
        let mut requests: Vec<_> = found.take(limit).collect();
        requests.reverse();
        requests
    }

    pub(super) fn trace(&self, id: TraceId) -> Option<RecentTrace> {
        self.traces.get(&id).map(|trace| RecentTrace::new(id, trace))
    }

    /// Removes the oldest traces until the bounds hold.
    fn make_room(&mut self) {
        while self.traces.len() > self.bounds.traces || self.bytes > self.bounds.bytes {
            let Some(oldest) = self.order.pop_front() else { return };
            self.remove(oldest);
        }
    }

    fn remove(&mut self, id: TraceId) {
        if let Some(trace) = self.traces.remove(&id) {
            self.bytes -= trace.bytes;
        }
    }
}

/// An estimate of what a span occupies.
fn size_of_span(span: &SpanData) -> usize {
    let attributes = |attributes: &[KeyValue]| attributes.iter().map(size_of_attribute).sum::<usize>();
    let events = span.events.iter().map(|event| size_of_val(event) + attributes(&event.attributes));
    size_of_val(span) + span.name.len() + attributes(&span.attributes) + events.sum::<usize>()
}

fn size_of_attribute(attribute: &KeyValue) -> usize {
    let text = match &attribute.value {
        Value::String(text) => text.as_str().len(),
        _ => 0,
    };
    size_of_val(attribute) + text
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{
        Span as _, SpanContext, TraceContextExt, TraceFlags, TraceState, Tracer, TracerProvider,
    };
    use opentelemetry::{Context, trace::SpanBuilder};
    use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

    use super::*;
    use crate::recent::RecentTelemetry;
    use crate::redaction::Redactor;
    use crate::traces;

    const BOUNDS: RecentBounds = RecentBounds { traces: 10, of_trace: 20, bytes: 1024 * 1024 };

    /// A tracer whose spans go into a memory with these bounds.
    fn traced(bounds: RecentBounds) -> (RecentTelemetry, SdkTracerProvider, SdkTracer) {
        let recent = RecentTelemetry::new(bounds);
        let resource = opentelemetry_sdk::Resource::builder_empty().build();
        let provider =
            traces::provider(None, traces::Sampling::default(), Redactor::default(), resource, Some(&recent))
                .unwrap();
        let tracer = provider.tracer("test");
        (recent, provider, tracer)
    }

    fn server(name: &'static str) -> SpanBuilder {
        SpanBuilder::from_name(name).with_kind(SpanKind::Server)
    }

    #[test]
    fn a_request_is_listed_once_with_all_spans_of_its_trace() {
        let (recent, _provider, tracer) = traced(BOUNDS);
        let outer = Context::new().with_span(tracer.build_with_context(server("outer"), &Context::new()));
        let trace = outer.span().span_context().trace_id();
        // A client span, and the server of this process that it calls.
        let client = SpanBuilder::from_name("call").with_kind(SpanKind::Client);
        let client = outer.with_span(tracer.build_with_context(client, &outer));
        tracer.build_with_context(server("inner"), &client).end();
        client.span().end();
        assert!(recent.requests_after(0, 10).is_empty(), "it has not ended");
        outer.span().end();
        let requests = recent.requests_after(0, 10);
        assert_eq!(requests.iter().map(|request| &*request.name).collect::<Vec<_>>(), ["outer"]);
        assert!(recent.requests_after(requests[0].sequence, 10).is_empty());
        let kept = recent.trace(trace).unwrap();
        assert_eq!(
            kept.spans.iter().map(|span| &*span.name).collect::<Vec<_>>(),
            ["outer", "call", "inner"],
            "in the order in which they began"
        );
        assert_eq!(kept.spans[2].parent_span_id.as_ref(), Some(&kept.spans[1].span_id));
    }

    #[test]
    fn a_message_is_listed_where_its_cause_is_another_process() {
        let (recent, _provider, tracer) = traced(BOUNDS);
        let message = || SpanBuilder::from_name("deliver").with_kind(SpanKind::Consumer);
        let request = Context::new().with_span(tracer.build_with_context(server("order"), &Context::new()));
        tracer.build_with_context(message(), &request).end();
        request.span().end();
        let remote = SpanContext::new(
            TraceId::from(1),
            SpanId::from(1),
            TraceFlags::default(),
            true,
            TraceState::default(),
        );
        tracer.build_with_context(message(), &Context::new().with_remote_span_context(remote)).end();
        let names = recent.requests_after(0, 10).into_iter().map(|request| request.name);
        assert_eq!(names.collect::<Vec<_>>(), ["order", "deliver"]);
    }

    #[test]
    fn housekeeping_takes_no_place() {
        let (recent, _provider, tracer) = traced(BOUNDS);
        tracer.build_with_context(server("request"), &Context::new()).end();
        for _ in 0..100 {
            let poll = tracer.build_with_context(SpanBuilder::from_name("poll"), &Context::new());
            let poll = Context::new().with_span(poll);
            tracer.build_with_context(SpanBuilder::from_name("SELECT"), &poll).end();
            poll.span().end();
        }
        assert_eq!(recent.requests_after(0, 10).len(), 1);
        assert_eq!(recent.store().traces.len(), 1);
        assert!(recent.store().order.len() <= 2 * BOUNDS.traces);
    }

    #[test]
    fn the_oldest_traces_make_room() {
        let large = "x".repeat(4000);
        let by_count = RecentBounds { traces: 3, ..BOUNDS };
        let by_size = RecentBounds { bytes: 14_000, ..BOUNDS };
        for bounds in [by_count, by_size] {
            let (recent, _provider, tracer) = traced(bounds);
            for number in 0..50_i64 {
                let mut span = tracer.build_with_context(server("request"), &Context::new());
                span.set_attribute(KeyValue::new("number", number));
                span.set_attribute(KeyValue::new("text", large.clone()));
                span.end();
                assert!(recent.bytes() <= bounds.bytes, "{}", recent.bytes());
            }
            let kept: Vec<_> = recent.requests_after(0, 100);
            let numbers: Vec<_> = kept.iter().map(|request| request.attributes["number"].clone()).collect();
            assert_eq!(numbers, [47, 48, 49]);
        }
    }

    #[test]
    fn a_trace_is_bounded_and_counts_what_does_not_fit() {
        let (recent, _provider, tracer) = traced(BOUNDS);
        let root = Context::new().with_span(tracer.build_with_context(server("request"), &Context::new()));
        for _ in 0..BOUNDS.of_trace + 5 {
            tracer.build_with_context(SpanBuilder::from_name("SELECT"), &root).end();
        }
        let kept = recent.trace(root.span().span_context().trace_id()).unwrap();
        assert_eq!((kept.spans.len(), kept.omitted), (BOUNDS.of_trace, 5));
    }

    #[test]
    fn spans_are_redacted_and_not_sent() {
        let (recent, _provider, tracer) = traced(BOUNDS);
        let mut span = tracer.build_with_context(server("to ada@example.com"), &Context::new());
        assert!(
            !span.span_context().is_sampled(),
            "without a receiver, the caller must not record it either"
        );
        span.set_attribute(KeyValue::new("password", "p"));
        span.set_attribute(KeyValue::new("detail", "ada@example.com"));
        span.end();
        let kept = recent.requests_after(0, 1).remove(0);
        assert_eq!(kept.name, "to [REDACTED]");
        for attribute in ["password", "detail"] {
            assert_eq!(kept.attributes[attribute], "[REDACTED]", "{attribute}");
        }
    }
}
