//! The dashboards of Grafana, as the files of `grafana/dashboards` have them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::contract::Query;
use crate::project::files;

/// A dashboard.
#[derive(Clone, Debug)]
pub struct Dashboard(Value);

impl Dashboard {
    /// Reads the dashboards of a folder.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>> {
        let mut dashboards = Vec::new();
        for path in files(folder, "json")? {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(&path).with_context(|| place.clone())?;
            dashboards.push(Self(serde_json::from_str(&text).context(place)?));
        }
        ensure!(!dashboards.is_empty(), "no dashboard in {}", folder.display());
        Ok(dashboards)
    }

    /// By which links lead to it.
    pub fn uid(&self) -> &str {
        text(&self.0, "/uid")
    }

    /// Its whole JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// Its panels, without the headlines of rows.
    pub fn panels(&self) -> Vec<&Value> {
        let all = self.0.pointer("/panels").and_then(Value::as_array);
        all.into_iter().flatten().filter(|panel| text(panel, "/type") != "row").collect()
    }

    /// All its PromQL, of panels, annotations and variables. Grafana's variables are filled in, so that it
    /// can be parsed.
    pub fn promql(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        let mut add = |place: String, expression: String| {
            queries
                .push(Query { place: format!("{}, {place}", self.uid()), expression: filled(&expression) });
        };
        for panel in self.panels() {
            for target in array(panel, "/targets").filter(|target| is_promql(target)) {
                add(text(panel, "/title").to_owned(), text(target, "/expr").to_owned());
            }
        }
        for annotation in array(&self.0, "/annotations/list").filter(|one| is_promql(one)) {
            add(text(annotation, "/name").to_owned(), text(annotation, "/expr").to_owned());
        }
        for variable in array(&self.0, "/templating/list").filter(|one| is_promql(one)) {
            add(text(variable, "/name").to_owned(), as_promql(text(variable, "/query/query")));
        }
        queries
    }
}

fn array<'a>(json: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    json.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn is_promql(json: &Value) -> bool {
    text(json, "/datasource/type") == "prometheus"
}

/// `label_values(up, job)`, which is Grafana's own, as a query that gives the same.
fn as_promql(variable: &str) -> String {
    let inside = variable.trim().strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
    match inside.and_then(|inside| inside.rsplit_once(',')) {
        Some((series, label)) => format!("group by ({}) ({})", label.trim(), series.trim()),
        None => variable.to_owned(),
    }
}

/// A time for each variable of Grafana's own, and for any other one what matches everything.
fn filled(expression: &str) -> String {
    let mut result = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once('$') {
        result += before;
        let (braced, inside) = after.strip_prefix('{').map_or((0, after), |inside| (2, inside));
        let length = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
        let name = &inside[..length];
        if name.starts_with("__") {
            result += "5m";
        } else if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            result += ".*";
        } else {
            result += "$"; // `$1`, which is PromQL's
            rest = after;
            continue;
        }
        rest = after.get(length + braced..).unwrap_or_default();
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_filled_in_and_references_of_promql_are_left() {
        let expression =
            r#"label_replace(rate(a{job="$job", b=~"${tenant}"}[$__rate_interval]), "c", "$1", "b", "(.*)")"#;
        let expected = r#"label_replace(rate(a{job=".*", b=~".*"}[5m]), "c", "$1", "b", "(.*)")"#;
        assert_eq!(filled(expression), expected);
        assert_eq!(filled("a[$__range]"), "a[5m]");
    }

    #[test]
    fn queries_of_panels_annotations_and_variables_are_found_and_others_left_out() {
        let (ours, other) = (json!({ "type": "prometheus" }), json!({ "type": "loki" }));
        let dashboard = Dashboard(json!({
            "uid": "d",
            "panels": [
                { "type": "row" },
                { "type": "stat", "title": "P", "targets": [
                    { "datasource": ours, "expr": "up" }, { "datasource": other, "expr": "{}" },
                ] },
            ],
            "annotations": { "list": [{ "name": "A", "datasource": ours, "expr": "ALERTS" }] },
            "templating": { "list": [
                { "name": "v", "datasource": ours, "query": { "query": "label_values(up{job=\"a\"}, job)" } },
                { "name": "typed", "query": "text" },
            ] },
        }));
        let found: Vec<_> =
            dashboard.promql().into_iter().map(|query| (query.place, query.expression)).collect();
        let expected = [("d, P", "up"), ("d, A", "ALERTS"), ("d, v", "group by (job) (up{job=\"a\"})")];
        assert_eq!(found, expected.map(|(place, query)| (place.to_owned(), query.to_owned())));
    }
}
