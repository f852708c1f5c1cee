//! What came of the drills, for people and for machines.

mod json;
mod junit;
mod markdown;
mod table;

use std::time::Duration;

use crate::speed::Speed;

/// What came of all exercises.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the stack was: “of …”.
    pub platform: String,
    /// By how much durations were divided.
    pub speed: Speed,
    /// One for each exercise, in order.
    pub outcomes: Vec<Outcome>,
}

/// What came of one exercise.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The scenario.
    pub scenario: String,
    /// The alerts that it had to raise; none for a load test without a fault.
    pub alerts: Vec<AlertOutcome>,
    /// Alerts that fired and were not declared.
    pub unexpected: Vec<String>,
    /// What went wrong beside single alerts.
    pub problems: Vec<String>,
    /// How long it took, with the silence before and after.
    pub took: Duration,
}

/// What came of one alert. Times count from the start of the scenario, except for those of the end, which
/// count from the end of the cause.
#[derive(Clone, Debug, Default)]
pub struct AlertOutcome {
    /// Its name.
    pub name: String,
    /// When it became pending.
    pub pending: Option<Duration>,
    /// When it fired.
    pub firing: Option<Duration>,
    /// When it was delivered.
    pub delivered: Option<Duration>,
    /// When it was over.
    pub resolved: Option<Duration>,
    /// When that was delivered.
    pub resolved_delivered: Option<Duration>,
    /// The evidence that was looked for.
    pub evidence: String,
    /// Whether it was found.
    pub evidence_found: bool,
    /// What went wrong.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether nothing went wrong.
    pub fn is_good(&self) -> bool {
        self.outcomes.iter().all(Outcome::is_good)
    }

    /// Everything that went wrong, one line each.
    pub fn problems(&self) -> Vec<String> {
        self.outcomes.iter().flat_map(Outcome::all_problems).collect()
    }
}

impl Outcome {
    /// Whether nothing went wrong.
    pub fn is_good(&self) -> bool {
        self.all_problems().is_empty()
    }

    /// Everything that went wrong.
    pub fn all_problems(&self) -> Vec<String> {
        let own = self.problems.iter().map(|problem| format!("{}: {problem}", self.scenario));
        let unexpected = (!self.unexpected.is_empty())
            .then(|| format!("{}: undeclared alerts fired: {}", self.scenario, self.unexpected.join(", ")));
        let of_alerts = self
            .alerts
            .iter()
            .flat_map(|alert| alert.problems.iter().map(|problem| format!("{} {problem}", alert.name)));
        of_alerts.chain(own).chain(unexpected).collect()
    }
}

/// A time in seconds, or a dash.
fn seconds(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "–".to_owned(), |duration| format!("{:.1} s", duration.as_secs_f64()))
}

/// The columns of the tables.
const COLUMNS: [&str; 9] = [
    "scenario",
    "alert",
    "pending",
    "firing",
    "delivered",
    "resolved",
    "end delivered",
    "unexpected",
    "evidence",
];

/// The rows of the tables, and whether each is good.
fn rows(report: &Report) -> Vec<(bool, [String; 9])> {
    let dash = || "–".to_owned();
    let mut rows = Vec::new();
    for outcome in &report.outcomes {
        let unexpected =
            if outcome.unexpected.is_empty() { "none".to_owned() } else { outcome.unexpected.join(", ") };
        let is_fine = outcome.problems.is_empty() && outcome.unexpected.is_empty();
        if outcome.alerts.is_empty() {
            let row = [
                outcome.scenario.clone(),
                dash(),
                dash(),
                dash(),
                dash(),
                dash(),
                dash(),
                unexpected,
                dash(),
            ];
            rows.push((is_fine, row));
            continue;
        }
        for alert in &outcome.alerts {
            let found = if alert.evidence_found {
                alert.evidence.clone()
            } else {
                format!("not found: {}", alert.evidence)
            };
            let row = [
                outcome.scenario.clone(),
                alert.name.clone(),
                seconds(alert.pending),
                seconds(alert.firing),
                seconds(alert.delivered),
                seconds(alert.resolved),
                seconds(alert.resolved_delivered),
                unexpected.clone(),
                found,
            ];
            rows.push((is_fine && alert.problems.is_empty(), row));
        }
    }
    rows
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report with a good alert, an alert that was not delivered, and a test in which something fired.
    pub(crate) fn example() -> Report {
        let second = |seconds| Some(Duration::from_secs(seconds));
        let good = AlertOutcome {
            name: "InstanceDown".to_owned(),
            pending: second(1),
            firing: second(3),
            delivered: second(4),
            resolved: second(2),
            resolved_delivered: second(5),
            evidence: "metric up == 0".to_owned(),
            evidence_found: true,
            problems: Vec::new(),
        };
        let bad = AlertOutcome {
            name: "NotReady".to_owned(),
            pending: second(1),
            firing: second(3),
            problems: vec!["fired, but was not delivered: a | b <c>".to_owned()],
            evidence: "log redis_lost of glasshouse-api".to_owned(),
            ..AlertOutcome::default()
        };
        let outcome = |scenario: &str, alerts| Outcome {
            scenario: scenario.to_owned(),
            alerts,
            took: Duration::from_millis(12_340),
            ..Outcome::default()
        };
        let smoke = Outcome { unexpected: vec!["HighErrorRate".to_owned()], ..outcome("smoke", Vec::new()) };
        let outcomes =
            vec![smoke, outcome("instance-down", vec![good]), outcome("dependency-down", vec![bad])];
        Report { platform: "of docker-compose.yml".to_owned(), speed: "30".parse().unwrap(), outcomes }
    }

    #[test]
    fn each_miss_is_a_problem_of_its_own() {
        assert_eq!(
            example().problems(),
            [
                "smoke: undeclared alerts fired: HighErrorRate",
                "NotReady fired, but was not delivered: a | b <c>"
            ]
        );
        assert!(!example().is_good());
    }
}
