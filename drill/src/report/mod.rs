//! The results of the drills, for people and for machines. Each submodule writes one format.

mod json;
mod junit;
mod markdown;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use time::Date;

use crate::project::{Project, link};
use crate::rules::AlertRule;
use crate::speed::Speed;

/// The name of the check of the telemetry contract among the outcomes.
pub const CONTRACT: &str = "contract";

/// The results of all exercises.
#[derive(Clone, Debug)]
pub struct Report {
    /// The platform of the stack, as a phrase that follows “stack”.
    pub platform: String,
    /// The divisor of all durations.
    pub speed: Speed,
    /// When it ran, and with what.
    pub run: Run,
    /// The rules of the alerts, by name.
    pub rules: BTreeMap<String, AlertRule>,
    /// Where the links of the page lead.
    pub links: Links,
    /// One for each exercise, in order.
    pub outcomes: Vec<Outcome>,
}

/// Where the links of the page lead, from the page.
#[derive(Clone, Debug)]
pub struct Links {
    /// The scripts of the scenarios, by their names.
    pub scenarios: BTreeMap<String, String>,
    /// The folder of the rules.
    pub rules: String,
    /// The folder of the runbooks; `None` without any.
    pub runbooks: Option<String>,
}

impl Links {
    /// The links from the page of the project's report.
    pub fn of(project: &Project) -> Self {
        let link = |target: PathBuf| link(&project.report(), &target);
        let exercises = project.catalogue().exercises();
        let names = exercises.iter().map(|exercise| exercise.name().to_owned());
        Self {
            scenarios: names
                .filter_map(|name| Some((name.clone(), link(project.scenario(&name).ok()?))))
                .collect(),
            rules: link(project.rules()),
            runbooks: project.runbooks().ok().map(link),
        }
    }
}

/// When the exercises ran, and with what.
#[derive(Clone, Debug)]
pub struct Run {
    /// The date in UTC.
    pub date: Date,
    /// The commit; `None` outside of a repository.
    pub commit: Option<String>,
    /// The servers with their versions, such as `Prometheus 3.5.0`.
    pub versions: Vec<String>,
}

/// The result of one exercise.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The name of the scenario.
    pub scenario: String,
    /// The expected alerts; empty for a load test without a fault.
    pub alerts: Vec<AlertOutcome>,
    /// Alerts that fired although the catalogue does not declare them.
    pub undeclared: Vec<String>,
    /// Failures of the exercise itself.
    pub problems: Vec<String>,
    /// The duration, including the wait for the baseline and for recovery.
    pub duration: Duration,
}

/// The result of one alert. Times of `resolved` and `resolved_delivered` count from the end of the fault, the
/// others from the start of the scenario.
#[derive(Clone, Debug, Default)]
pub struct AlertOutcome {
    /// The name of the alert.
    pub name: String,
    /// The time until the alert was pending.
    pub pending: Option<Duration>,
    /// The time until the alert was firing.
    pub firing: Option<Duration>,
    /// The time until the notification was delivered.
    pub delivered: Option<Duration>,
    /// The time until the alert was resolved.
    pub resolved: Option<Duration>,
    /// The time until the resolved notification was delivered.
    pub resolved_delivered: Option<Duration>,
    /// The expected evidence, for people; or what of it was not found.
    pub evidence: String,
    /// The time until all evidence was found.
    pub evidence_found: Option<Duration>,
    /// The failures of the alert.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether all exercises succeeded.
    pub fn is_success(&self) -> bool {
        self.outcomes.iter().all(Outcome::is_success)
    }

    /// The failures of all exercises: one message each.
    pub fn problems(&self) -> Vec<String> {
        self.outcomes.iter().flat_map(Outcome::all_problems).collect()
    }
}

impl Outcome {
    /// Whether the exercise and all its alerts succeeded.
    pub fn is_success(&self) -> bool {
        self.all_problems().is_empty()
    }

    /// The failures of the exercise and of its alerts: one message each.
    pub fn all_problems(&self) -> Vec<String> {
        let own = self.problems.iter().map(|problem| format!("{}: {problem}", self.scenario));
        let undeclared = (!self.undeclared.is_empty())
            .then(|| format!("{}: undeclared alerts fired: {}", self.scenario, self.undeclared.join(", ")));
        let of_alerts = self
            .alerts
            .iter()
            .flat_map(|alert| alert.problems.iter().map(|problem| format!("{} {problem}", alert.name)));
        of_alerts.chain(own).chain(undeclared).collect()
    }
}

/// A row of the tables: an alert of an exercise, or an exercise without one.
#[derive(Clone, Copy)]
struct Row<'a> {
    outcome: &'a Outcome,
    alert: Option<&'a AlertOutcome>,
}

/// A cell without a value.
const NONE: &str = "–";

/// The rows of the tables.
fn rows(report: &Report) -> impl Iterator<Item = Row<'_>> {
    report.outcomes.iter().flat_map(|outcome| {
        let alerts = outcome.alerts.iter().map(Some);
        let none = outcome.alerts.is_empty().then_some(None);
        alerts.chain(none).map(move |alert| Row { outcome, alert })
    })
}

impl Row<'_> {
    fn is_success(self) -> bool {
        let is_success = self.outcome.problems.is_empty() && self.outcome.undeclared.is_empty();
        is_success && self.alert.is_none_or(|alert| alert.problems.is_empty())
    }

    /// A time in seconds.
    fn seconds(self, step: fn(&AlertOutcome) -> Option<Duration>) -> String {
        let duration = self.alert.and_then(step);
        duration.map_or_else(|| NONE.to_owned(), |duration| format!("{:.1} s", duration.as_secs_f64()))
    }

    fn undeclared(self) -> String {
        let undeclared = &self.outcome.undeclared;
        if undeclared.is_empty() { "none".to_owned() } else { undeclared.join(", ") }
    }

    fn evidence(self) -> String {
        match self.alert {
            Some(AlertOutcome { evidence, evidence_found: Some(found), .. }) => {
                format!("{:.1} s: {evidence}", found.as_secs_f64())
            }
            Some(alert) => format!("not found: {}", alert.evidence),
            None => NONE.to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report with a proven alert, an alert that was not delivered, and a test with an undeclared alert.
    pub(crate) fn example() -> Report {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let proven = AlertOutcome {
            name: "InstanceDown".to_owned(),
            pending: seconds(1),
            firing: seconds(3),
            delivered: seconds(4),
            resolved: seconds(2),
            resolved_delivered: seconds(5),
            evidence: "metric up == 0".to_owned(),
            evidence_found: seconds(2),
            problems: Vec::new(),
        };
        let failed = AlertOutcome {
            name: "NotReady".to_owned(),
            pending: seconds(1),
            firing: seconds(3),
            problems: vec!["fired, but was not delivered: a | b <c>".to_owned()],
            evidence: "log redis_lost of glasshouse-api".to_owned(),
            ..AlertOutcome::default()
        };
        let outcome = |scenario: &str, alerts| Outcome {
            scenario: scenario.to_owned(),
            alerts,
            duration: Duration::from_millis(12_340),
            ..Outcome::default()
        };
        let smoke = Outcome { undeclared: vec!["HighErrorRate".to_owned()], ..outcome("smoke", Vec::new()) };
        let outcomes =
            vec![smoke, outcome("instance-down", vec![proven]), outcome("dependency-down", vec![failed])];
        let run = Run {
            date: time::macros::date!(2026 - 11 - 26),
            commit: Some("0123abc".to_owned()),
            versions: vec!["Prometheus 3.5.0".to_owned(), "Alertmanager 0.28.1".to_owned()],
        };
        let rule = AlertRule { severity: "critical".to_owned(), file: "alerts.yml".to_owned() };
        let rules = [("InstanceDown".to_owned(), rule)].into();
        let (platform, speed) = ("of docker-compose.yml".to_owned(), "30".parse().unwrap());
        let links = Links {
            scenarios: ["smoke", "instance-down", "dependency-down"]
                .map(|name| (name.to_owned(), format!("../load-tests/scenarios/{name}.js")))
                .into(),
            rules: "../deploy/prometheus/rules".to_owned(),
            runbooks: Some("runbooks".to_owned()),
        };
        Report { platform, speed, run, rules, links, outcomes }
    }

    #[test]
    fn each_failure_is_reported_once() {
        assert_eq!(
            example().problems(),
            [
                "smoke: undeclared alerts fired: HighErrorRate",
                "NotReady fired, but was not delivered: a | b <c>"
            ]
        );
        assert!(!example().is_success());
    }
}
