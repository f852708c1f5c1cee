use glasshouse_drill::grafana::data_source::Source;
use serde_json::{Value, json};

/// What people can choose at the top of a dashboard.
#[derive(Clone, Debug)]
pub struct Variable(Value);

impl Variable {
    /// Some or all values of a label, such as `label_values(up, instance)`.
    pub fn some_of(name: &str, label: &str, query: &str) -> Self {
        let all = json!({ "text": ["All"], "value": ["$__all"] });
        let mut variable = Self::query(name, label, query, all);
        variable.0["multi"] = json!(true);
        variable.0["includeAll"] = json!(true);
        variable.0["allValue"] = json!(".*");
        variable
    }

    /// One value of a label, at first `default`.
    pub fn one_of(name: &str, label: &str, query: &str, default: &str) -> Self {
        Self::query(name, label, query, json!({ "text": default, "value": default }))
    }

    /// A text that people type.
    pub fn typed(name: &str, label: &str, default: &str) -> Self {
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
            "datasource": Source::Prometheus.reference(),
            "definition": query,
            "query": { "query": query, "refId": name },
            "refresh": 2, // when the time changes: tenants come and go
            "sort": 1,
            "current": current,
            "options": [],
        }))
    }

    pub(super) fn to_json(&self) -> Value {
        self.0.clone()
    }
}
