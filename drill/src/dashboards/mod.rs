//! The dashboards of Grafana, as the files of `grafana/dashboards` have them.

mod variables;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::contract::{Query, needs_others};
use crate::project::files;
use crate::promql::parse;
use crate::watch::PrometheusApi;
use variables::as_promql;

pub use variables::filled;

/// A dashboard.
#[derive(Clone, Debug)]
pub struct Dashboard(Value);

impl Dashboard {
    /// The dashboard with this JSON.
    pub fn new(json: Value) -> Self {
        Self(json)
    }

    /// Reads the dashboards of a folder.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>> {
        let mut dashboards = Vec::new();
        for path in files(folder, "json")? {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(&path).with_context(|| place.clone())?;
            dashboards.push(Self::new(serde_json::from_str(&text).context(place)?));
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
        array(&self.0, "/panels").filter(|panel| text(panel, "/type") != "row").collect()
    }

    /// All its PromQL, of panels, annotations and variables. Grafana's variables are filled in with what is
    /// chosen at first, so that it can be parsed and run.
    pub fn promql(&self) -> Vec<Query> {
        let panels = self.panels().into_iter().flat_map(|panel| self.queries_of(panel));
        let annotations = array(&self.0, "/annotations/list").filter(|one| is_promql(one));
        let annotations = annotations.map(|one| self.query(text(one, "/name"), text(one, "/expr")));
        let variables = array(&self.0, "/templating/list").filter(|one| is_promql(one));
        let variables =
            variables.map(|one| self.query(text(one, "/name"), &as_promql(text(one, "/query/query"))));
        panels.chain(annotations).chain(variables).collect()
    }

    /// The PromQL of the panels that have data on an ordinary day. The others say in their description which
    /// drill “fills it”.
    pub fn promql_of_ordinary_days(&self) -> Vec<Query> {
        let is_ordinary = |panel: &&Value| !text(panel, "/description").contains("fills it");
        self.panels().into_iter().filter(is_ordinary).flat_map(|panel| self.queries_of(panel)).collect()
    }

    /// The PromQL of the panels whose dots lead to traces.
    pub fn promql_with_exemplars(&self) -> Vec<Query> {
        let panels = self.panels().into_iter();
        panels.flat_map(|panel| self.queries(panel, |target| target["exemplar"] == true)).collect()
    }

    fn queries_of(&self, panel: &Value) -> Vec<Query> {
        self.queries(panel, |_| true)
    }

    fn queries(&self, panel: &Value, wanted: impl Fn(&Value) -> bool) -> Vec<Query> {
        let targets = array(panel, "/targets").filter(|target| is_promql(target) && wanted(target));
        targets.map(|target| self.query(text(panel, "/title"), text(target, "/expr"))).collect()
    }

    /// A query of this dashboard, with what is chosen at first in place of its variables.
    pub fn query(&self, place: &str, expression: &str) -> Query {
        let variables = array(&self.0, "/templating/list");
        let chosen = variables.map(|one| (text(one, "/name"), text(one, "/current/value"))).collect();
        Query { place: format!("{}, {place}", self.uid()), expression: filled(expression, &chosen) }
    }
}

/// The queries that found nothing in the last 5 minutes: one readable line each. `with_others` also asks for
/// what k6 and the collector export.
pub async fn silent(queries: &[Query], prometheus: &PrometheusApi, with_others: bool) -> Result<Vec<String>> {
    let mut silent = Vec::new();
    for Query { place, expression } in queries {
        if !with_others && needs_others(&parse(expression)?) {
            continue;
        }
        // Each moment, because a value may be a number at one and none at another.
        let question = format!("count_over_time((({expression}) < +Inf)[5m:5s])");
        let found = prometheus.query(&question).await.with_context(|| format!("{place}: {expression}"))?;
        if found.is_empty() {
            silent.push(format!("{place}: no numbers for {expression}"));
        }
    }
    Ok(silent)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn queries_of_panels_annotations_and_variables_are_found_and_others_left_out() {
        let (ours, other) = (json!({ "type": "prometheus" }), json!({ "type": "loki" }));
        let dashboard = Dashboard::new(json!({
            "uid": "d",
            "panels": [
                { "type": "row" },
                { "type": "stat", "title": "Q", "description": "A drill fills it.", "targets": [
                    { "datasource": ours, "expr": "down" },
                ] },
                { "type": "stat", "title": "P", "targets": [
                    { "datasource": ours, "expr": "up{job=\"$v\"}", "exemplar": true },
                    { "datasource": other, "expr": "{}", "exemplar": true },
                ] },
            ],
            "annotations": { "list": [{ "name": "A", "datasource": ours, "expr": "ALERTS" }] },
            "templating": { "list": [
                {
                    "name": "v", "datasource": ours, "query": { "query": "label_values(up, job)" },
                    "current": { "value": "api" },
                },
                { "name": "typed", "query": "text" },
            ] },
        }));
        let brief = |queries: Vec<Query>| -> Vec<_> {
            queries.into_iter().map(|query| format!("{}: {}", query.place, query.expression)).collect()
        };
        let up = "d, P: up{job=\"api\"}";
        assert_eq!(
            brief(dashboard.promql()),
            ["d, Q: down", up, "d, A: ALERTS", "d, v: group by (job) (up)"]
        );
        assert_eq!(brief(dashboard.promql_of_ordinary_days()), [up]);
        assert_eq!(brief(dashboard.promql_with_exemplars()), [up]);
    }
}
