//! A variable of a dashboard.

use glasshouse_drill::grafana::data_source::DataSource;
use serde_json::{Value, json};

/// A variable that people set at the top of a dashboard, as Grafana's JSON.
#[derive(Clone, Debug)]
pub struct Variable(Value);

impl Variable {
    /// Selects several or all values of a query such as `label_values(up, instance)`.
    pub fn multi(name: &str, label: &str, query: &str) -> Self {
        let all = json!({ "text": ["All"], "value": ["$__all"] });
        let mut variable = Self::query(name, label, query, all);
        variable.0["multi"] = json!(true);
        variable.0["includeAll"] = json!(true);
        variable.0["allValue"] = json!(".*");
        variable
    }

    /// Selects one value of a query.
    pub fn single(name: &str, label: &str, query: &str, default: &str) -> Self {
        Self::query(name, label, query, json!({ "text": default, "value": default }))
    }

    /// A text box.
    pub fn text(name: &str, label: &str, default: &str) -> Self {
        Self(json!({
            "type": "textbox",
            "name": name,
            "label": label,
            "query": default,
            "current": { "text": default, "value": default },
            "options": [],
        }))
    }

    fn query(name: &str, label: &str, query: &str, current: Value) -> Self {
        Self(json!({
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
        }))
    }

    pub(super) fn to_json(&self) -> Value {
        self.0.clone()
    }
}
