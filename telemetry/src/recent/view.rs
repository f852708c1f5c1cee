//! Recent traces in a form that can be serialized.

use std::time::SystemTime;

use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::store::Trace;

/// A completed request or message: a server or consumer span whose cause is no span of this process.
#[derive(Clone, Debug, Serialize)]
pub struct RecentRequest {
    /// Its number, from 1, in the order in which requests were completed.
    pub sequence: u64,
    /// The id of its trace, in hexadecimal.
    pub trace_id: String,
    /// The id of its span, in hexadecimal.
    pub span_id: String,
    /// The name of its span, such as `GET /v1/orders`.
    pub name: String,
    /// When it began, in microseconds since 1970.
    pub start_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// The attributes of its span.
    pub attributes: Map<String, Json>,
}

/// A trace: what this process has recorded of it so far.
#[derive(Clone, Debug, Serialize)]
pub struct RecentTrace {
    /// Its id, in hexadecimal.
    pub trace_id: String,
    /// Its spans that have ended, in the order in which they began.
    pub spans: Vec<RecentSpan>,
    /// Its log records, oldest first, with the fields that they have on standard output.
    pub records: Vec<Json>,
    /// The number of spans and log records that did not fit.
    pub omitted: usize,
}

/// A span that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct RecentSpan {
    /// Its id, in hexadecimal.
    pub span_id: String,
    /// The span that caused it; `None` for the first one of a trace.
    pub parent_span_id: Option<String>,
    /// Its name.
    pub name: String,
    /// `internal`, `server`, `client`, `producer` or `consumer`.
    pub kind: &'static str,
    /// When it began, in microseconds since 1970.
    pub start_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Whether it has failed.
    pub failed: bool,
    /// Its attributes.
    pub attributes: Map<String, Json>,
    /// Its events.
    pub events: Vec<SpanEvent>,
}

/// An event of a span.
#[derive(Clone, Debug, Serialize)]
pub struct SpanEvent {
    /// Its name.
    pub name: String,
    /// When it happened, in microseconds since 1970.
    pub time_us: u64,
    /// Its attributes.
    pub attributes: Map<String, Json>,
}

impl RecentRequest {
    pub(super) fn new(sequence: u64, span: &SpanData) -> Self {
        Self {
            sequence,
            trace_id: span.span_context.trace_id().to_string(),
            span_id: span.span_context.span_id().to_string(),
            name: span.name.clone().into_owned(),
            start_us: microseconds(span.start_time),
            duration_us: duration(span),
            attributes: json_of(&span.attributes),
        }
    }
}

impl RecentTrace {
    pub(super) fn new(id: TraceId, trace: &Trace) -> Self {
        let mut spans: Vec<_> = trace.spans.iter().map(RecentSpan::new).collect();
        // Parents come first among those that began in the same microsecond: they took longer.
        spans.sort_by_key(|span| (span.start_us, std::cmp::Reverse(span.duration_us)));
        let mut records: Vec<_> = trace.records.iter().collect();
        records.sort_by_key(|record| record.time);
        let records = records.into_iter().filter_map(|record| serde_json::from_slice(&record.json()).ok());
        Self { trace_id: id.to_string(), spans, records: records.collect(), omitted: trace.omitted }
    }
}

impl RecentSpan {
    fn new(span: &SpanData) -> Self {
        let events = span.events.iter().map(|event| SpanEvent {
            name: event.name.clone().into_owned(),
            time_us: microseconds(event.timestamp),
            attributes: json_of(&event.attributes),
        });
        Self {
            span_id: span.span_context.span_id().to_string(),
            parent_span_id: (span.parent_span_id != SpanId::INVALID).then(|| span.parent_span_id.to_string()),
            name: span.name.clone().into_owned(),
            kind: match span.span_kind {
                SpanKind::Internal => "internal",
                SpanKind::Server => "server",
                SpanKind::Client => "client",
                SpanKind::Producer => "producer",
                SpanKind::Consumer => "consumer",
            },
            start_us: microseconds(span.start_time),
            duration_us: duration(span),
            failed: matches!(span.status, Status::Error { .. }),
            attributes: json_of(&span.attributes),
            events: events.collect(),
        }
    }
}

fn duration(span: &SpanData) -> u64 {
    let duration = span.end_time.duration_since(span.start_time).unwrap_or_default();
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn microseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn json_of(attributes: &[KeyValue]) -> Map<String, Json> {
    let attribute = |attribute: &KeyValue| {
        let value = match &attribute.value {
            Value::Bool(value) => (*value).into(),
            Value::I64(value) => (*value).into(),
            Value::F64(value) => (*value).into(),
            other => other.as_str().into_owned().into(),
        };
        (attribute.key.to_string(), value)
    };
    attributes.iter().map(attribute).collect()
}
