//! Compares queries with the metrics that are exported. A query of a missing metric or label is valid PromQL and
//! returns nothing, so its alert never fires.

mod exported;
mod external;
mod labels;
mod telemetry;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::grafana::DashboardFile;
use crate::project::Project;
use crate::promql::parse;
use crate::query::LocatedQuery;
use crate::rules::{Rule, RuleFiles};

pub use exported::ExportedMetrics;
pub use external::{external_sources, uses_external_metrics};
use labels::{LabelChecker, RecordedSeries};
pub use telemetry::TelemetryContract;

/// Violations of the project's rules and dashboards: see [`violations`].
pub fn project_violations(project: &Project, exported: &ExportedMetrics) -> Result<Vec<String>> {
    let rules = RuleFiles::read(&project.rules())?.rules()?;
    let dashboards = match project.dashboards() {
        Ok(folder) => DashboardFile::read_all(&folder)?,
        Err(_) => Vec::new(), // the project has none
    };
    let queries: Vec<_> =
        rules.iter().map(Rule::query).chain(dashboards.iter().flat_map(DashboardFile::promql)).collect();
    violations(&queries, &rules, exported)
}

/// Metrics and labels that the queries use and no process exports: one message each. Series that the `recording` rules
/// record count as exported, with the labels of their expressions.
///
/// # Errors
/// An expression cannot be parsed.
pub fn violations(
    queries: &[LocatedQuery],
    recording: &[Rule],
    exported: &ExportedMetrics,
) -> Result<Vec<String>> {
    let recorded = recorded_series(recording)?;
    let checker = LabelChecker::new(exported, &recorded);
    let mut violations = Vec::new();
    for query in queries {
        let problems = checker.problems(&parse(&query.expression)?);
        violations.extend(problems.into_iter().map(|problem| format!("{}: {problem}", query.place)));
    }
    violations.dedup();
    Ok(violations)
}

/// The names of the labels of every series that the rules record.
///
/// # Errors
/// An expression cannot be parsed.
pub fn recorded_labels(
    recording: &[Rule],
    exported: &ExportedMetrics,
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let recorded = recorded_series(recording)?;
    let checker = LabelChecker::new(exported, &recorded);
    let labels = |name: &String| (name.clone(), checker.of_metric(name).unwrap_or_default());
    Ok(recorded.keys().map(labels).collect())
}

fn recorded_series(rules: &[Rule]) -> Result<RecordedSeries> {
    let mut recorded = RecordedSeries::new();
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

    fn violations_in(expression: &str, recording: &str) -> Vec<String> {
        let queries = [LocatedQuery { place: "here".to_owned(), expression: expression.to_owned() }];
        let rules: Vec<Rule> = yaml_serde::from_str(recording).unwrap();
        let mut exported = ExportedMetrics::default();
        exported.add_scrape(SCRAPE).unwrap();
        violations(&queries, &rules, &exported).unwrap()
    }

    #[track_caller]
    fn assert_valid(expression: &str) {
        assert_eq!(violations_in(expression, "[]"), Vec::<String>::new());
    }

    #[test]
    fn exported_metrics_and_labels_are_accepted() {
        assert_valid(
            r#"sum by (job, endpoint) (rate(http_requests_total{status=~"5..", instance="a"}[5m])) > 1"#,
        );
        assert_valid("histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))");
        assert_valid("http_requests_in_flight > 1 and on (job) up == 1");
        assert_valid(r#"sum by (kind) (label_replace(up, "kind", "$1", "job", "(.*)"))"#);
        assert_valid(r#"sum by (kind) (label_replace(group by (job) (up), "kind", "any", "", ""))"#);
        assert_valid(r#"ALERTS{alertname="HighErrorRate", alertstate="firing"}"#);
        assert_valid(r#"http_requests_in_flight * on (job) group_left (method) http_requests_total"#);
    }

    #[test]
    fn a_metric_that_no_process_exports_is_reported() {
        let found = violations_in("rate(http_request_total[5m]) > 1", "[]");
        assert_eq!(found, ["here: no process exports the metric http_request_total"]);
    }

    #[test]
    fn a_label_that_a_metric_lacks_is_reported() {
        let missing = |label: &str| vec![format!("here: http_requests_total has no label {label}")];
        assert_eq!(violations_in(r#"http_requests_total{code="500"}"#, "[]"), missing("code"));
        let by = violations_in("sum by (code) (rate(http_requests_total[5m]))", "[]");
        assert_eq!(by, ["here: by (code): no such label in rate(http_requests_total[5m])"]);
        let on = violations_in("http_requests_total / on (endpoint) http_requests_in_flight", "[]");
        assert_eq!(on, ["here: on (endpoint): no such label in http_requests_in_flight"]);
        let dropped = violations_in("sum by (status) (sum by (job) (http_requests_total))", "[]");
        assert_eq!(dropped, ["here: by (status): no such label in sum by (job) (http_requests_total)"]);
    }

    #[test]
    fn a_recorded_series_has_the_labels_of_its_expression_and_its_rule() {
        let rules =
            r#"[{ record: "job:errors", expr: "sum by (job) (http_requests_total)", labels: { slo: a } }]"#;
        assert_eq!(violations_in(r#"sum by (job) ({__name__="job:errors", slo="a"})"#, rules), [""; 0]);
        assert_eq!(
            violations_in(r#"job:errors{status="500"}"#, rules),
            ["here: job:errors has no label status"]
        );
    }
}
