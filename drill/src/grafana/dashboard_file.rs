//! The committed dashboards: their panels and queries.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::data_source::DataSource;
use super::variables::{as_promql, interpolate};
use crate::project::files;
use crate::query::LocatedQuery;

/// The phrase in the description of a panel that has no data without a fault. Checks that every panel has data skip
/// such panels.
pub const FAULT_ONLY: &str = "Has data only during a fault";

/// A query of logs, traces or profiles.
#[derive(Clone, Debug)]
pub struct StoreQuery {
    /// The store that answers it.
    pub source: DataSource,
    /// LogQL, TraceQL, or the label selector of a profile.
    pub query: LocatedQuery,
    /// Whether it has a result under normal load.
    pub has_data: bool,
}

/// A committed dashboard, as Grafana's JSON.
#[derive(Clone, Debug)]
pub struct DashboardFile(Value);

impl DashboardFile {
    /// Wraps the JSON of a dashboard.
    pub fn new(json: Value) -> Self {
        Self(json)
    }

    /// Reads the `.json` files of a folder.
    ///
    /// # Errors
    /// A file cannot be read or parsed, or the folder has none.
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

    /// The uid, which links refer to.
    pub fn uid(&self) -> &str {
        text(&self.0, "/uid")
    }

    /// The whole JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// All panels, without the headers of rows.
    pub fn panels(&self) -> Vec<&Value> {
        array(&self.0, "/panels").filter(|panel| text(panel, "/type") != "row").collect()
    }

    /// The PromQL of panels, annotations and variables. Grafana's variables are replaced by their default values, so
    /// that the result can be parsed and run.
    pub fn promql(&self) -> Vec<LocatedQuery> {
        let panels = self.panels().into_iter().flat_map(|panel| self.queries_of(panel));
        let annotations = array(&self.0, "/annotations/list").filter(|one| is_promql(one));
        let annotations = annotations.map(|one| self.query(text(one, "/name"), text(one, "/expr")));
        let variables = array(&self.0, "/templating/list").filter(|one| is_promql(one));
        let variables =
            variables.map(|one| self.query(text(one, "/name"), &as_promql(text(one, "/query/query"))));
        panels.chain(annotations).chain(variables).collect()
    }

    /// The PromQL of the panels, each with whether it has data under normal load. The others carry [`FAULT_ONLY`] in the
    /// description of their panel.
    pub fn promql_of_panels(&self) -> Vec<(LocatedQuery, bool)> {
        let with_data = |panel: &Value| {
            let has_data = has_data(panel);
            self.queries_of(panel).into_iter().map(move |query| (query, has_data)).collect::<Vec<_>>()
        };
        self.panels().into_iter().flat_map(with_data).collect()
    }

    /// The PromQL of the queries that ask for exemplars.
    pub fn promql_with_exemplars(&self) -> Vec<LocatedQuery> {
        let panels = self.panels().into_iter();
        panels.flat_map(|panel| self.queries(panel, |target| target["exemplar"] == true)).collect()
    }

    /// The queries of Loki, Tempo and Pyroscope, without those about one trace or request, whose id a person enters.
    pub fn store_queries(&self) -> Vec<StoreQuery> {
        let panels = self.panels().into_iter();
        panels
            .flat_map(|panel| array(panel, "/targets").filter_map(|target| self.store_query(panel, target)))
            .collect()
    }

    fn store_query(&self, panel: &Value, target: &Value) -> Option<StoreQuery> {
        let (source, pointer) = match text(target, "/datasource/type") {
            "loki" => (DataSource::Loki, "/expr"),
            "tempo" if text(target, "/queryType") == "traceql" => (DataSource::Tempo, "/query"),
            "grafana-pyroscope-datasource" => (DataSource::Pyroscope, "/labelSelector"),
            _ => return None,
        };
        // Loki rejects a selector that matches everything.
        let expression = text(target, pointer).replace("$job", ".+");
        let is_about_one = ["${trace_id}", "${request_id}"].iter().any(|id| expression.contains(id));
        let has_data = has_data(panel);
        let query = || self.query(text(panel, "/title"), &expression);
        (!is_about_one).then(|| StoreQuery { source, query: query(), has_data })
    }

    fn queries_of(&self, panel: &Value) -> Vec<LocatedQuery> {
        self.queries(panel, |_| true)
    }

    fn queries(&self, panel: &Value, is_wanted: impl Fn(&Value) -> bool) -> Vec<LocatedQuery> {
        let targets = array(panel, "/targets").filter(|target| is_promql(target) && is_wanted(target));
        targets.map(|target| self.query(text(panel, "/title"), text(target, "/expr"))).collect()
    }

    /// A query of this dashboard, with its variables replaced by their default values.
    pub fn query(&self, place: &str, expression: &str) -> LocatedQuery {
        let variables = array(&self.0, "/templating/list");
        let defaults = variables.map(|one| (text(one, "/name"), text(one, "/current/value"))).collect();
        LocatedQuery {
            place: format!("{}, {place}", self.uid()),
            expression: interpolate(expression, &defaults),
        }
    }
}

fn array<'a>(json: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    json.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a panel has data under normal load.
pub fn has_data(panel: &Value) -> bool {
    !text(panel, "/description").contains(FAULT_ONLY)
}

fn is_promql(json: &Value) -> bool {
    text(json, "/datasource/type") == "prometheus"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_promql_of_panels_annotations_and_variables_is_returned() {
        let (ours, other) = (json!({ "type": "prometheus" }), json!({ "type": "loki" }));
        let dashboard = DashboardFile::new(json!({
            "uid": "d",
            "panels": [
                { "type": "row" },
                { "type": "stat", "title": "Q", "description": "Has data only during a fault: x.", "targets": [
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
        let brief = |queries: Vec<LocatedQuery>| -> Vec<_> {
            queries.into_iter().map(|query| format!("{}: {}", query.place, query.expression)).collect()
        };
        let up = "d, P: up{job=\"api\"}";
        assert_eq!(
            brief(dashboard.promql()),
            ["d, Q: down", up, "d, A: ALERTS", "d, v: group by (job) (up)"]
        );
        let of_panels = dashboard.promql_of_panels().into_iter();
        let (queries, have_data): (Vec<_>, Vec<_>) = of_panels.unzip();
        assert_eq!(
            (brief(queries), have_data),
            (vec!["d, Q: down".to_owned(), up.to_owned()], vec![false, true])
        );
        assert_eq!(brief(dashboard.promql_with_exemplars()), [up]);
    }
}
