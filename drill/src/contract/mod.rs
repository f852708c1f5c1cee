//! Compares queries with what the service really exports: a query of a metric or a label that does not
//! exist is valid PromQL, gives nothing, and alerts nobody.

mod exported;
mod labels;
mod others;

use std::collections::BTreeMap;

use anyhow::Result;

use crate::dashboards::Dashboard;
use crate::project::Project;
use crate::promql::parse;
use crate::rules::{Rule, RuleFiles};

pub use exported::Exported;
use labels::{Checker, Recorded};
pub use others::needs_others;

/// A query of a rule or of a dashboard.
#[derive(Clone, Debug)]
pub struct Query {
    /// Where it stands, for people.
    pub place: String,
    /// PromQL.
    pub expression: String,
}

impl Query {
    /// The query of a rule.
    pub fn of_rule(rule: &Rule) -> Self {
        let name = rule.alert.as_ref().or(rule.record.as_ref()).cloned().unwrap_or_default();
        Self { place: name, expression: rule.expr.clone() }
    }
}

/// As `violations`, for the project's rules and dashboards.
pub fn of_project(project: &Project, exported: &Exported) -> Result<Vec<String>> {
    let rules = RuleFiles::read(&project.rules())?.rules()?;
    let dashboards = Dashboard::read_all(&project.dashboards())?;
    let queries: Vec<_> =
        rules.iter().map(Query::of_rule).chain(dashboards.iter().flat_map(Dashboard::promql)).collect();
    violations(&queries, &rules, exported)
}

/// What the queries use and nobody exports: one readable line each. What `recording` rules record counts as
/// exported, with the labels that their own queries give.
pub fn violations(queries: &[Query], recording: &[Rule], exported: &Exported) -> Result<Vec<String>> {
    let recorded = recorded(recording)?;
    let checker = Checker::new(exported, &recorded);
    let mut found = Vec::new();
    for query in queries {
        let problems = checker.problems(&parse(&query.expression)?);
        found.extend(problems.into_iter().map(|problem| format!("{}: {problem}", query.place)));
    }
    found.dedup();
    Ok(found)
}

fn recorded(rules: &[Rule]) -> Result<Recorded> {
    let mut recorded: Recorded = BTreeMap::new();
    for rule in rules {
        if let Some(name) = &rule.record {
            let labels = rule.labels.keys().cloned().collect();
            recorded.entry(name.clone()).or_default().push((parse(&rule.expr)?, labels));
        }
    }
    Ok(recorded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAPE: &str = r#"
# HELP http_requests_total Requests answered.
# TYPE http_requests_total counter
http_requests_total{method="GET",endpoint="/v1/products",status="200"} 3
http_request_duration_seconds_bucket{method="GET",endpoint="/a{b}",le="0.1"} 3
http_request_duration_seconds_bucket{method="GET",endpoint="say \"}\"",le="+Inf"} 3
http_requests_in_flight 1 1700000000000
"#;

    fn violations_of(expression: &str, recording: &str) -> Vec<String> {
        let queries = [Query { place: "here".to_owned(), expression: expression.to_owned() }];
        let rules: Vec<Rule> = yaml_serde::from_str(recording).unwrap();
        let mut exported = Exported::default();
        exported.add_scrape(SCRAPE).unwrap();
        violations(&queries, &rules, &exported).unwrap()
    }

    #[track_caller]
    fn is_fine(expression: &str) {
        assert_eq!(violations_of(expression, "[]"), Vec::<String>::new());
    }

    #[test]
    fn what_is_exported_may_be_used() {
        is_fine(r#"sum by (job, endpoint) (rate(http_requests_total{status=~"5..", instance="a"}[5m])) > 1"#);
        is_fine("histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))");
        is_fine("http_requests_in_flight > 1 and on (job) up == 1");
        is_fine(r#"sum by (kind) (label_replace(up, "kind", "$1", "job", "(.*)"))"#);
        is_fine(r#"ALERTS{alertname="HighErrorRate", alertstate="firing"}"#);
        is_fine(r#"http_requests_in_flight * on (job) group_left (method) http_requests_total"#);
    }

    #[test]
    fn a_metric_that_nobody_exports_is_named() {
        let found = violations_of("rate(http_request_total[5m]) > 1", "[]");
        assert_eq!(found, ["here: nobody exports the metric http_request_total"]);
    }

    #[test]
    fn a_label_that_a_metric_lacks_is_named() {
        let missing = |label: &str| vec![format!("here: http_requests_total has no label {label}")];
        assert_eq!(violations_of(r#"http_requests_total{code="500"}"#, "[]"), missing("code"));
        let by = violations_of("sum by (code) (rate(http_requests_total[5m]))", "[]");
        assert_eq!(by, ["here: by (code): no such label in rate(http_requests_total[5m])"]);
        let on = violations_of("http_requests_total / on (endpoint) http_requests_in_flight", "[]");
        assert_eq!(on, ["here: on (endpoint): no such label in http_requests_in_flight"]);
        let gone = violations_of("sum by (status) (sum by (job) (http_requests_total))", "[]");
        assert_eq!(gone, ["here: by (status): no such label in sum by (job) (http_requests_total)"]);
    }

    #[test]
    fn a_recorded_series_has_the_labels_of_its_query_and_its_rule() {
        let rules =
            r#"[{ record: "job:errors", expr: "sum by (job) (http_requests_total)", labels: { slo: a } }]"#;
        assert_eq!(violations_of(r#"sum by (job) ({__name__="job:errors", slo="a"})"#, rules), [""; 0]);
        assert_eq!(
            violations_of(r#"job:errors{status="500"}"#, rules),
            ["here: job:errors has no label status"]
        );
    }
}
