//! The time series that queries select: their labels, and the expressions that record them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use glasshouse_drill::contract::{ExportedMetrics, TelemetryContract, recorded_labels};
use glasshouse_drill::project::Project;
use glasshouse_drill::rules::RuleFiles;

use crate::promql_text::{Selector, rewrite};

/// Metrics that queries join to others, for a label or as a limit.
const JOINED: [&str; 2] = ["tenant_info", "plan_rate_limit_per_second"];

/// A variable of a dashboard that filters series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The name of the variable.
    pub variable: String,
    /// The labels that it filters. Each metric has one of them at most: that of requests is `job`, that of spans
    /// `service_name`.
    pub labels: Vec<&'static str>,
}

impl Filter {
    /// The label of this metric that it filters.
    fn label(&self, labels: &BTreeSet<String>) -> Option<&'static str> {
        self.labels.iter().copied().find(|label| labels.contains(*label))
    }
}

/// The metrics of the service, and the series that the rules record from them.
#[derive(Clone, Debug)]
pub struct Series {
    labels: BTreeMap<String, BTreeSet<String>>,
    recorded: BTreeMap<String, String>,
}

impl Series {
    /// Reads the telemetry contract and the rules.
    ///
    /// # Errors
    /// A file cannot be read or parsed.
    pub fn read(project: &Project) -> Result<Self> {
        let mut service = ExportedMetrics::default();
        service.add_contract(&TelemetryContract::read(&project.telemetry_contract()?)?);
        let mut external = ExportedMetrics::default();
        external.add_external();
        let rules = RuleFiles::read(&project.rules())?.rules()?;

        let of_every_job = ExportedMetrics::default(); // such as `up`, which pages filter themselves
        let particular = |(metric, _): &(&str, &BTreeSet<String>)| of_every_job.labels(metric).is_none();
        let mut labels = recorded_labels(&rules, &service)?;
        labels.extend(
            service.iter().filter(particular).map(|(metric, found)| (metric.to_owned(), found.clone())),
        );
        // `job` and `instance` of these are those of an exporter, which no variable offers.
        let without_target = |labels: &BTreeSet<String>| {
            labels.iter().filter(|label| !matches!(label.as_str(), "job" | "instance")).cloned().collect()
        };
        labels.extend(
            external
                .iter()
                .filter(particular)
                .map(|(metric, found)| (metric.to_owned(), without_target(found))),
        );
        let recorded = rules.into_iter().filter_map(|rule| Some((rule.record?, rule.expr))).collect();
        Ok(Self { labels, recorded })
    }

    /// Whether rules record the series.
    pub fn is_recorded(&self, metric: &str) -> bool {
        self.recorded.contains_key(metric)
    }

    /// The expression with a matcher for each filter in every selector of a metric, unless the selector requires one value
    /// of the label itself.
    ///
    /// A filter is left out if a metric of the expression lacks its label: the operands would be about different things.
    /// Metrics that are only joined do not count.
    pub fn filter(&self, expression: &str, filters: &[Filter]) -> String {
        let applicable: Vec<_> = filters.iter().filter(|filter| self.applies(filter, expression)).collect();
        rewrite(expression, |Selector { metric, matchers }| {
            let labels = self.labels.get(metric)?;
            let matcher = |filter: &&Filter| {
                let label = filter.label(labels).filter(|label| !has_fixed_value(matchers, label))?;
                Some(format!(r#"{label}=~"${}""#, filter.variable))
            };
            let own = Some(matchers.to_owned()).filter(|matchers| !matchers.is_empty());
            let all: Vec<_> = own.into_iter().chain(applicable.iter().filter_map(matcher)).collect();
            (!all.is_empty()).then(|| format!("{metric}{{{}}}", all.join(", ")))
        })
    }

    fn applies(&self, filter: &Filter, expression: &str) -> bool {
        let mut applies = true;
        rewrite(expression, |Selector { metric, .. }| {
            let labels = self.labels.get(metric).filter(|_| !JOINED.contains(&metric))?;
            applies &= filter.label(labels).is_some();
            None
        });
        applies
    }

    /// The expression with recorded series replaced by the expressions that record them, so that filters apply to labels
    /// that the recorded series lack.
    pub fn expand(&self, expression: &str) -> String {
        rewrite(expression, |Selector { metric, matchers }| {
            let recorded = self.recorded.get(metric).filter(|_| matchers.is_empty())?;
            Some(format!("({})", self.expand(recorded)))
        })
    }
}

/// Whether the matchers of a selector require one value of a label.
fn has_fixed_value(matchers: &str, label: &str) -> bool {
    let outside_strings = matchers.split('"').step_by(2);
    let mut names = outside_strings.filter_map(|text| text.trim_start_matches(',').trim().strip_suffix('='));
    names.any(|name| name.trim() == label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Series {
        let labels = [
            ("requests_total", &["job", "instance", "endpoint"][..]),
            ("job:requests:rate", &["job"]),
            ("shed_total", &["job"]),
            ("tenant_info", &["job"]),
            ("node_load1", &[]),
        ];
        let labels = labels.map(|(metric, labels)| {
            (metric.to_owned(), labels.iter().map(|label| (*label).to_owned()).collect())
        });
        let recorded = [
            ("job:requests:rate", "sum by (job) (rate(requests_total[2m]))"),
            ("job:requests:ratio", "job:requests:rate / 2"),
        ];
        let recorded = recorded.map(|(name, expression)| (name.to_owned(), expression.to_owned()));
        Series { labels: labels.into(), recorded: recorded.into() }
    }

    fn filtered(expression: &str) -> String {
        let filter =
            |variable: &str, label| Filter { variable: variable.to_owned(), labels: vec![label, "other"] };
        series().filter(expression, &[filter("job", "job"), filter("route", "endpoint")])
    }

    #[test]
    fn a_selector_gets_the_matchers_of_its_labels() {
        for (expression, expected) in [
            ("rate(requests_total[1m])", r#"rate(requests_total{job=~"$job", endpoint=~"$route"}[1m])"#),
            ("job:requests:rate > 1", r#"job:requests:rate{job=~"$job"} > 1"#),
            (
                r#"requests_total{endpoint="a,job=b", job!="c"}"#,
                r#"requests_total{endpoint="a,job=b", job!="c", job=~"$job"}"#,
            ),
            ("sum by (job) (node_load1) + unknown", "sum by (job) (node_load1) + unknown"),
        ] {
            assert_eq!(filtered(expression), expected);
        }
    }

    #[test]
    fn a_filter_applies_to_all_operands_or_to_none() {
        assert_eq!(
            filtered("shed_total / requests_total"),
            r#"shed_total{job=~"$job"} / requests_total{job=~"$job"}"#
        );
        assert_eq!(
            filtered("requests_total * on (job) tenant_info"),
            r#"requests_total{job=~"$job", endpoint=~"$route"} * on (job) tenant_info{job=~"$job"}"#
        );
    }

    #[test]
    fn recorded_series_are_expanded_down_to_metrics() {
        let expression = r#"job:requests:ratio + job:requests:rate{job="a"}"#;
        let expected = r#"((sum by (job) (rate(requests_total[2m]))) / 2) + job:requests:rate{job="a"}"#;
        assert_eq!(series().expand(expression), expected);
    }
}
