//! Queries Tempo for a trace, and reads the parts that links need.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::backends::Backends;
use crate::grafana::data_source::DataSource;

/// The margin before and after the root span in which related signals are searched.
const MARGIN: Duration = Duration::from_secs(60);

/// A trace whose root span is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trace {
    pub(super) id: String,
    /// The number of spans.
    pub(super) spans: usize,
    pub(super) root: RootSpan,
}

/// The server span of the request that started the trace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RootSpan {
    pub(super) name: String,
    /// The string attributes of the span and of its resource.
    tags: BTreeMap<String, String>,
    /// Unix time.
    start: Duration,
    /// Unix time.
    end: Duration,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TraceResponse {
    trace: TraceDocument,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TraceDocument {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScopeSpans {
    spans: Vec<Span>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Span {
    name: String,
    kind: Value,
    parent_span_id: String,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: Value,
}

/// The trace with this id; `None` until its root span is stored.
pub(super) async fn find(backends: &Backends, id: &str) -> Result<Option<Trace>> {
    let response: Option<TraceResponse> =
        backends.get(DataSource::Tempo, &format!("api/v2/traces/{id}"), &[]).await?;
    response.map_or(Ok(None), |response| response.trace.read(id))
}

impl TraceDocument {
    fn read(&self, id: &str) -> Result<Option<Trace>> {
        let spans: Vec<_> = self.spans().collect();
        // If the caller sent a traceparent, all our spans have a parent.
        let servers = || spans.iter().filter(|(_, span)| span.is_server());
        let root = servers().find(|(_, span)| span.parent_span_id.is_empty()).or_else(|| servers().next());
        let Some((resource, span)) = root else { return Ok(None) };
        let moment = |text: &str| -> Result<Duration> {
            Ok(Duration::from_nanos(
                text.parse().with_context(|| format!("“{text}” is not the timestamp of a span"))?,
            ))
        };
        let tags = resource.attributes.iter().chain(&span.attributes).filter_map(Attribute::text);
        let root = RootSpan {
            name: span.name.clone(),
            tags: tags.collect(),
            start: moment(&span.start_time_unix_nano)?,
            end: moment(&span.end_time_unix_nano)?,
        };
        Ok(Some(Trace { id: id.to_owned(), spans: spans.len(), root }))
    }

    fn spans(&self) -> impl Iterator<Item = (&Resource, &Span)> {
        self.resource_spans.iter().flat_map(|part| {
            part.scope_spans.iter().flat_map(|scope| &scope.spans).map(|span| (&part.resource, span))
        })
    }
}

impl Span {
    fn is_server(&self) -> bool {
        self.kind == "SPAN_KIND_SERVER" || self.kind == 2
    }
}

impl Attribute {
    fn text(&self) -> Option<(String, String)> {
        Some((self.key.clone(), self.value["stringValue"].as_str()?.to_owned()))
    }
}

impl Trace {
    /// Id, name, service, number of spans and duration, for people.
    pub(super) fn summary(&self) -> String {
        let Self { id, spans, root } = self;
        format!("trace {id}: {} of {}, {spans} spans, {:.3} s", root.name, root.service(), root.seconds())
    }
}

impl RootSpan {
    /// A string attribute of the span or of its resource.
    pub(super) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    /// The name of the service; empty if the resource has none.
    pub(super) fn service(&self) -> &str {
        self.tag("service.name").unwrap_or_default()
    }

    /// The request id, which the response carried as `x-request-id`.
    pub(super) fn request_id(&self) -> Option<&str> {
        self.tag("request_id")
    }

    /// The id of the span in Pyroscope.
    pub(super) fn profile_id(&self) -> Option<&str> {
        self.tag("pyroscope.profile.id")
    }

    /// The duration in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.end.saturating_sub(self.start).as_secs_f64()
    }

    /// The time range of related signals, in milliseconds of Unix time.
    pub(super) fn time_range(&self) -> (u128, u128) {
        (self.start.saturating_sub(MARGIN).as_millis(), (self.end + MARGIN).as_millis())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    impl Trace {
        /// A request to the service `api`, with all attributes that links use.
        pub(in crate::correlation) fn sample() -> Self {
            let tags = [("service.name", "api"), ("request_id", "r-1"), ("pyroscope.profile.id", "0f")];
            let root = RootSpan {
                name: "POST /v1/orders".to_owned(),
                tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
                start: Duration::from_secs(70),
                end: Duration::from_millis(70_500),
            };
            Self { id: "t".to_owned(), spans: 3, root }
        }
    }

    fn attribute(key: &str, value: &str) -> Value {
        json!({ "key": key, "value": { "stringValue": value } })
    }

    #[test]
    fn the_root_span_is_the_server_span_without_a_parent() {
        let times = |mut span: Value| {
            span["startTimeUnixNano"] = "70000000000".into();
            span["endTimeUnixNano"] = "70500000000".into();
            span
        };
        let child = json!({ "name": "POST /charges", "kind": "SPAN_KIND_SERVER", "parentSpanId": "AQ==" });
        let root = json!({ "name": "POST /v1/orders", "kind": "SPAN_KIND_SERVER", "attributes": [
            attribute("request_id", "r-1"), attribute("pyroscope.profile.id", "0f"),
        ] });
        let resource_spans = |service: &str, spans: Vec<Value>| json!({ "resource": { "attributes": [attribute("service.name", service)] }, "scopeSpans": [{ "spans": spans }] });
        let inner = json!({ "name": "reserve", "kind": "SPAN_KIND_CLIENT", "parentSpanId": "AQ==" });
        let parts = [
            resource_spans("gateway", vec![times(child)]),
            resource_spans("api", vec![times(inner), times(root)]),
        ];
        let response: TraceResponse =
            serde_json::from_value(json!({ "trace": { "resourceSpans": parts } })).unwrap();
        let trace = response.trace.read("t").unwrap().unwrap();
        assert_eq!(trace, Trace::sample());
        assert_eq!(trace.root.seconds(), 0.5);
        assert_eq!(trace.root.time_range(), (10_000, 130_500));
    }

    #[test]
    fn a_trace_without_its_root_span_is_none() {
        for trace in [json!({}), json!({ "trace": { "resourceSpans": [] } })] {
            let response: TraceResponse = serde_json::from_value(trace).unwrap();
            assert_eq!(response.trace.read("t").unwrap(), None);
        }
    }
}
