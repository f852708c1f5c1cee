//! A variable of a dashboard.

use glasshouse_drill::grafana::data_source::DataSource;
use serde_json::{Value, json};

use crate::series::Filter;

/// A variable that people set at the top of a dashboard, as Grafana's JSON.
#[derive(Clone, Debug)]
pub struct Variable {
    json: Value,
    /// The labels that it filters.
    labels: Vec<&'static str>,
}

impl Variable {
    /// Selects several or all values of a query such as `label_values(up, instance)`. All queries of the dashboard are
    /// filtered by the given labels where a metric has them.
    pub fn multi(name: &str, label: &str, query: &str, filters: &[&'static str]) -> Self {
        let mut variable = Self::query(name, label, query, json!({ "text": ["All"], "value": ["$__all"] }));
        variable.json["multi"] = json!(true);
        variable.json["includeAll"] = json!(true);
        variable.json["allValue"] = json!(".+");
        variable.labels = filters.to_vec();
        variable
    }

    /// As [`multi`](Self::multi), of a query whose results have the value in one label, and a name that people know in another.
    pub fn named(
        name: &str,
        label: &str,
        series: &str,
        [shown, value]: [&str; 2],
        filters: &[&'static str],
    ) -> Self {
        let query = format!("query_result(max by ({shown}, {value}) ({series}))");
        let mut variable = Self::multi(name, label, &query, filters);
        variable.json["regex"] = json!(format!(r#"/{shown}="(?<text>[^"]+)".*{value}="(?<value>[^"]+)"/"#));
        variable
    }

    /// "All" includes what has no such label, such as log records without a tenant.
    #[must_use]
    pub fn or_none(mut self) -> Self {
        self.json["allValue"] = json!(".*");
        self
    }

    /// Sets the value that is selected at first.
    #[must_use]
    pub fn selected(mut self, value: &str) -> Self {
        self.json["current"] = json!({ "text": [value], "value": [value] });
        self
    }

    /// A text box.
    pub fn text(name: &str, label: &str, default: &str) -> Self {
        let json = json!({
            "type": "textbox",
            "name": name,
            "label": label,
            "query": default,
            "current": { "text": default, "value": default },
            "options": [],
        });
        Self { json, labels: Vec::new() }
    }

    /// Selects a data source. A dashboard that is imported elsewhere uses the first one of this kind.
    pub(super) fn data_source(source: DataSource) -> Self {
        let name = match source {
            DataSource::Prometheus => "Prometheus",
            DataSource::Loki => "Loki",
            DataSource::Tempo => "Tempo",
            DataSource::Pyroscope => "Pyroscope",
        };
        let json = json!({
            "type": "datasource",
            "name": source.variable(),
            "label": format!("{name} data source"),
            "query": source.plugin(),
            "regex": "",
            "refresh": 1,
            "current": { "text": name, "value": source.uid() },
            "options": [],
        });
        Self { json, labels: Vec::new() }
    }

    fn query(name: &str, label: &str, query: &str, current: Value) -> Self {
        let json = json!({
            "type": "query",
            "name": name,
            "label": label,
            "datasource": DataSource::Prometheus.reference(),
            "definition": query,
            "query": { "query": query, "refId": name },
            "refresh": 2, // when the time range changes, because tenants come and go
            "sort": 1,
            "current": current,
            "options": [],
        });
        Self { json, labels: Vec::new() }
    }

    /// What it filters, if anything.
    pub(super) fn filter(&self) -> Option<Filter> {
        let variable = self.json["name"].as_str().unwrap_or_default().to_owned();
        (!self.labels.is_empty()).then(|| Filter { variable, labels: self.labels.clone() })
    }

    pub(super) fn to_json(&self) -> Value {
        self.json.clone()
    }
}
