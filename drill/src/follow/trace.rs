//! A trace in Tempo, as far as its links need it.

use std::collections::BTreeMap;
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
    pub(super) name: String,
    /// Its attributes and those of its resource, as far as they are texts.
    tags: BTreeMap<String, String>,
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
        let tags = resource.attributes.iter().chain(&span.attributes).filter_map(Attribute::text);
        let root = Root {
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

impl Root {
    /// An attribute of it or of its resource.
    pub(super) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    /// Whose it is.
    pub(super) fn service(&self) -> &str {
        self.tag("service.name").unwrap_or_default()
    }

    /// By which its caller knows it.
    pub(super) fn request_id(&self) -> Option<&str> {
        self.tag("request_id")
    }

    /// By which Pyroscope knows it.
    pub(super) fn profile_id(&self) -> Option<&str> {
        self.tag("pyroscope.profile.id")
    }

    /// How long it took.
    pub(super) fn seconds(&self) -> f64 {
        self.end.saturating_sub(self.start).as_secs_f64()
    }

    /// From when to when things may belong to it, in milliseconds since 1970.
    pub(super) fn around(&self) -> (u128, u128) {
        (self.start.saturating_sub(AROUND).as_millis(), (self.end + AROUND).as_millis())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    impl Trace {
        /// A request of its service `api`, with everything by which others know it.
        pub(in crate::follow) fn sample() -> Self {
            let tags = [("service.name", "api"), ("request_id", "r-1"), ("pyroscope.profile.id", "0f")];
            let root = Root {
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
        assert_eq!(trace, Trace::sample());
        assert_eq!(trace.root.seconds(), 0.5);
        assert_eq!(trace.root.around(), (10_000, 130_500));
    }

    #[test]
    fn a_trace_without_its_root_has_not_arrived() {
        for trace in [json!({}), json!({ "trace": { "resourceSpans": [] } })] {
            let answer: Answer = serde_json::from_value(trace).unwrap();
            assert_eq!(answer.trace.read("t").unwrap(), None);
        }
    }
}
