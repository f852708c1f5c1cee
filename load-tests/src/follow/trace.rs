//! A trace in Tempo, as far as its links need it.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::places::Places;
use crate::data_source::Source;

/// What belongs to a trace is looked for so long before and after its root.
const AROUND: Duration = Duration::from_secs(60);

/// A trace that has arrived.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trace {
    pub(super) id: String,
    /// How many it has.
    pub(super) spans: usize,
    pub(super) root: Root,
}

/// The span of the request that a trace is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Root {
    pub(super) service: String,
    pub(super) name: String,
    pub(super) request_id: Option<String>,
    /// By which Pyroscope knows it.
    pub(super) profile_id: Option<String>,
    start: Duration,
    end: Duration,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    trace: Document,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
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

/// A trace by its id; `None` as long as its root has not arrived.
pub(super) async fn find(places: &Places, id: &str) -> Result<Option<Trace>> {
    let answer: Option<Answer> = places.get(Source::Tempo, &format!("api/v2/traces/{id}"), &[]).await?;
    answer.map_or(Ok(None), |answer| answer.trace.read(id))
}

impl Document {
    fn read(&self, id: &str) -> Result<Option<Trace>> {
        let spans: Vec<_> = self.spans().collect();
        // Where a caller sent a traceparent, no span of ours is without a parent.
        let servers = || spans.iter().filter(|(_, span)| span.is_server());
        let root = servers().find(|(_, span)| span.parent_span_id.is_empty()).or_else(|| servers().next());
        let Some((resource, span)) = root else { return Ok(None) };
        let moment = |text: &str| -> Result<Duration> {
            Ok(Duration::from_nanos(text.parse().with_context(|| format!("“{text}” is no time of a span"))?))
        };
        let root = Root {
            service: text(&resource.attributes, "service.name").unwrap_or_default(),
            name: span.name.clone(),
            request_id: text(&span.attributes, "request_id"),
            profile_id: text(&span.attributes, "pyroscope.profile.id"),
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

impl Root {
    /// How long it took.
    pub(super) fn seconds(&self) -> f64 {
        self.end.saturating_sub(self.start).as_secs_f64()
    }

    /// From when to when things may belong to it, in milliseconds since 1970.
    pub(super) fn around(&self) -> (u128, u128) {
        (self.start.saturating_sub(AROUND).as_millis(), (self.end + AROUND).as_millis())
    }

    /// How many spans like it there are per second, as the data source Tempo asks it of Prometheus.
    pub(super) fn rate_query(&self) -> String {
        let Self { service, name, .. } = self;
        format!(
            r#"sum by (span_name) (rate(traces_span_metrics_duration_seconds_count{{service_name="{service}", span_name="{name}"}}[5m]))"#
        )
    }
}

fn text(attributes: &[Attribute], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    attribute.value["stringValue"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attribute(key: &str, value: &str) -> Value {
        json!({ "key": key, "value": { "stringValue": value } })
    }

    #[test]
    fn the_root_is_the_server_span_without_a_parent() {
        let times = |mut span: Value| {
            span["startTimeUnixNano"] = "70000000000".into();
            span["endTimeUnixNano"] = "70500000000".into();
            span
        };
        let child = json!({ "name": "POST /charges", "kind": "SPAN_KIND_SERVER", "parentSpanId": "AQ==" });
        let root = json!({ "name": "POST /v1/orders", "kind": "SPAN_KIND_SERVER", "attributes": [
            attribute("request_id", "r-1"), attribute("pyroscope.profile.id", "0f"),
        ] });
        let part = |service: &str, spans: Vec<Value>| json!({ "resource": { "attributes": [attribute("service.name", service)] }, "scopeSpans": [{ "spans": spans }] });
        let inner = json!({ "name": "reserve", "kind": "SPAN_KIND_CLIENT", "parentSpanId": "AQ==" });
        let parts = [part("gateway", vec![times(child)]), part("api", vec![times(inner), times(root)])];
        let answer: Answer = serde_json::from_value(json!({ "trace": { "resourceSpans": parts } })).unwrap();
        let trace = answer.trace.read("t").unwrap().unwrap();
        let root = &trace.root;
        assert_eq!((trace.spans, root.service.as_str(), root.name.as_str()), (3, "api", "POST /v1/orders"));
        assert_eq!((root.request_id.as_deref(), root.profile_id.as_deref()), (Some("r-1"), Some("0f")));
        assert_eq!(root.seconds(), 0.5);
        assert_eq!(root.around(), (10_000, 130_500));
    }

    #[test]
    fn a_trace_without_its_root_has_not_arrived() {
        for trace in [json!({}), json!({ "trace": { "resourceSpans": [] } })] {
            let answer: Answer = serde_json::from_value(trace).unwrap();
            assert_eq!(answer.trace.read("t").unwrap(), None);
        }
    }
}
