//! A query of a panel.

use glasshouse_drill::grafana::data_source::{CPU_TIME, DataSource};
use serde_json::{Value, json};

use crate::series::{Filter, Series};

/// A query of a panel, as Grafana's JSON.
#[derive(Clone, Debug)]
pub struct Query {
    pub(super) source: DataSource,
    body: Value,
}

impl Query {
    /// A range query in PromQL, over the selected time range.
    pub fn range(expression: impl Into<String>) -> Self {
        Self::promql(expression.into(), json!({ "range": true, "instant": false }))
    }

    /// An instant query in PromQL, at the end of the selected time range.
    pub fn instant(expression: impl Into<String>) -> Self {
        Self::promql(expression.into(), json!({ "range": false, "instant": true }))
    }

    /// An instant query in PromQL, with a row for each series and a column for each label.
    pub fn table(expression: impl Into<String>) -> Self {
        Self::instant(expression).with("format", json!("table"))
    }

    /// A range query in PromQL for the buckets of a histogram. The result must have the label `le`.
    pub fn heatmap(expression: impl Into<String>) -> Self {
        Self::range(expression).with("format", json!("heatmap")).legend("{{le}}")
    }

    /// A range query in LogQL.
    pub fn logql(expression: impl Into<String>) -> Self {
        let body = json!({ "expr": expression.into(), "queryType": "range", "editorMode": "code" });
        Self { source: DataSource::Loki, body }
    }

    /// A query in TraceQL, or a trace id.
    pub fn traceql(expression: impl Into<String>) -> Self {
        let body = json!({
            "query": expression.into(), "queryType": "traceql", "tableType": "traces", "limit": 20
        });
        Self { source: DataSource::Tempo, body }
    }

    /// The service graph.
    pub fn service_map() -> Self {
        Self { source: DataSource::Tempo, body: json!({ "queryType": "serviceMap" }) }
    }

    /// The CPU profile of the samples that a label selector matches.
    pub fn profile(selector: impl Into<String>) -> Self {
        let body = json!({
            "labelSelector": selector.into(),
            "profileTypeId": CPU_TIME,
            "queryType": "profile",
            "groupBy": [],
        });
        Self { source: DataSource::Pyroscope, body }
    }

    /// Sets the names of the series. `{{label}}` is replaced by the value of a label.
    #[must_use]
    pub fn legend(self, legend: impl Into<String>) -> Self {
        self.with("legendFormat", json!(legend.into()))
    }

    /// Also shows exemplars, which lead to traces.
    #[must_use]
    pub fn exemplars(self) -> Self {
        self.with("exemplar", json!(true))
    }

    /// The PromQL; `None` in other languages.
    pub fn as_promql(&self) -> Option<&str> {
        let expression = self.body["expr"].as_str();
        expression.filter(|_| self.source == DataSource::Prometheus)
    }

    /// Filters the PromQL.
    pub(super) fn filter(&mut self, series: &Series, filters: &[Filter]) {
        if let Some(expression) = self.as_promql().map(|expression| series.filter(expression, filters)) {
            self.body["expr"] = json!(expression);
        }
    }

    fn promql(expression: String, options: Value) -> Self {
        let body = json!({ "expr": expression, "editorMode": "code", "legendFormat": "__auto" });
        let mut query = Self { source: DataSource::Prometheus, body };
        for (key, value) in options.as_object().into_iter().flatten() {
            query = query.with(key, value.clone());
        }
        query
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.body[key] = value;
        self
    }

    /// A target of a panel. The target with index 0 has the letter `A`.
    pub(super) fn to_json(&self, index: usize) -> Value {
        let letter = char::from(b'A' + u8::try_from(index % 26).unwrap_or_default());
        let mut target = self.body.clone();
        target["refId"] = json!(letter.to_string());
        target["datasource"] = self.source.reference();
        target
    }
}
