use glasshouse_drill::grafana::data_source::{CPU_TIME, Source};
use serde_json::{Value, json};

/// A query of a panel.
#[derive(Clone, Debug)]
pub struct Query {
    pub(super) source: Source,
    body: Value,
}

impl Query {
    /// PromQL over the time that the dashboard shows.
    pub fn over_time(expression: impl Into<String>) -> Self {
        Self::promql(expression.into(), json!({ "range": true, "instant": false }))
    }

    /// PromQL at the end of that time.
    pub fn now(expression: impl Into<String>) -> Self {
        Self::promql(expression.into(), json!({ "range": false, "instant": true }))
    }

    /// As `now`, with one row for each series, and a column for each label.
    pub fn table(expression: impl Into<String>) -> Self {
        Self::now(expression).with("format", json!("table"))
    }

    /// The buckets of a histogram, which must have the label `le`.
    pub fn buckets(expression: impl Into<String>) -> Self {
        Self::over_time(expression).with("format", json!("heatmap")).legend("{{le}}")
    }

    /// LogQL.
    pub fn logql(expression: impl Into<String>) -> Self {
        let body = json!({ "expr": expression.into(), "queryType": "range", "editorMode": "code" });
        Self { source: Source::Loki, body }
    }

    /// TraceQL, or the id of a trace.
    pub fn traceql(expression: impl Into<String>) -> Self {
        let body = json!({
            "query": expression.into(), "queryType": "traceql", "tableType": "traces", "limit": 20
        });
        Self { source: Source::Tempo, body }
    }

    /// Who calls whom.
    pub fn service_map() -> Self {
        Self { source: Source::Tempo, body: json!({ "queryType": "serviceMap" }) }
    }

    /// Where the CPU time of these samples went.
    pub fn profile(selector: impl Into<String>) -> Self {
        let body = json!({
            "labelSelector": selector.into(),
            "profileTypeId": CPU_TIME,
            "queryType": "profile",
            "groupBy": [],
        });
        Self { source: Source::Pyroscope, body }
    }

    /// How its series are called; `{{label}}` is a label's value.
    #[must_use]
    pub fn legend(self, legend: impl Into<String>) -> Self {
        self.with("legendFormat", json!(legend.into()))
    }

    /// Also shows its exemplars: points that lead to a trace.
    #[must_use]
    pub fn exemplars(self) -> Self {
        self.with("exemplar", json!(true))
    }

    fn promql(expression: String, how: Value) -> Self {
        let body = json!({ "expr": expression, "editorMode": "code", "legendFormat": "__auto" });
        let mut query = Self { source: Source::Prometheus, body };
        for (key, value) in how.as_object().into_iter().flatten() {
            query = query.with(key, value.clone());
        }
        query
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.body[key] = value;
        self
    }

    /// As one of a panel's targets: the first is `A`.
    pub(super) fn to_json(&self, number: usize) -> Value {
        let letter = char::from(b'A' + u8::try_from(number % 26).unwrap_or_default());
        let mut target = self.body.clone();
        target["refId"] = json!(letter.to_string());
        target["datasource"] = self.source.reference();
        target
    }
}
