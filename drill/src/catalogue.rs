//! The catalogue: which scenario causes which alert, and what proof it leaves.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// `load-tests/catalogue.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Every alert of the rules.
    #[serde(rename = "alert")]
    pub alerts: Vec<AlertEntry>,
    /// The load tests that cause no fault.
    #[serde(rename = "test")]
    pub tests: Vec<TestEntry>,
}

/// An alert and what causes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertEntry {
    /// Its name in the rules.
    pub name: String,
    /// The scenario that causes it: a file of `load-tests/scenarios`, without `.js`.
    pub scenario: String,
    /// Other alerts that the same cause may raise.
    #[serde(default)]
    pub also: Vec<String>,
    /// What its runbook sends people to, and what a drill must find.
    pub evidence: Evidence,
    /// The alert that silences this one while both fire. It is delivered after the cause has ended then, when
    /// the other one is over first.
    pub held_back_by: Option<String>,
    /// What the drill stops while the scenario runs, and starts again after it.
    pub stop: Option<Part>,
    /// Whether the scenario must run to its end and succeed, rather than be interrupted once the alert has
    /// been delivered.
    #[serde(default)]
    pub runs_to_its_end: bool,
}

/// A load test without a fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestEntry {
    /// A file of `load-tests/scenarios`, without `.js`.
    pub name: String,
    /// The alerts that it may raise.
    pub may_fire: Vec<String>,
    /// Whether `drill all` runs it.
    pub drilled: bool,
}

/// What can be found after a fault. Each part that is there must be found.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The event of a log line.
    pub log: Option<String>,
    /// The name of a span.
    pub span: Option<String>,
    /// A query that gives something while the fault lasts.
    pub metric: Option<String>,
    /// The process that writes the log line or the span; `api` if it is not named.
    #[serde(default)]
    pub of: Process,
}

/// A process of the service.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Process {
    /// `glasshouse serve`
    #[default]
    Api,
    /// `glasshouse worker`
    Worker,
    /// `glasshouse gateway`
    Gateway,
}

/// A part of the stack that a drill can stop.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The cache and the rate limits.
    Redis,
    /// The service.
    Api,
    /// The receiver of spans and log lines.
    Collector,
}

/// What is run in one go: the alerts of one scenario, or a load test without a fault.
#[derive(Clone, Debug)]
pub enum Exercise {
    /// A scenario that must raise these alerts.
    Alerts {
        /// The scenario.
        scenario: String,
        /// All that it must raise.
        alerts: Vec<AlertEntry>,
    },
    /// A load test that must succeed.
    Test(TestEntry),
}

impl Catalogue {
    /// Reads the catalogue.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Reads the text of a catalogue.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// All exercises: the tests first, because they also show that the stack is healthy.
    pub fn exercises(&self) -> Vec<Exercise> {
        let tests = self.tests.iter().cloned().map(Exercise::Test);
        let mut scenarios: Vec<&str> = Vec::new();
        for alert in &self.alerts {
            if !scenarios.contains(&alert.scenario.as_str()) {
                scenarios.push(&alert.scenario);
            }
        }
        let drills = scenarios.into_iter().map(|scenario| Exercise::Alerts {
            scenario: scenario.to_owned(),
            alerts: self.alerts.iter().filter(|alert| alert.scenario == scenario).cloned().collect(),
        });
        tests.chain(drills).collect()
    }

    /// The exercises of `drill all`.
    pub fn drilled(&self) -> Vec<Exercise> {
        let is_drilled = |exercise: &Exercise| match exercise {
            Exercise::Alerts { .. } => true,
            Exercise::Test(test) => test.drilled,
        };
        self.exercises().into_iter().filter(is_drilled).collect()
    }

    /// The exercise of this alert, scenario or test.
    pub fn find(&self, name: &str) -> Option<Exercise> {
        self.exercises().into_iter().find(|exercise| {
            exercise.name() == name
                || exercise.alerts().iter().any(|alert| alert.name.eq_ignore_ascii_case(name))
        })
    }
}

impl Exercise {
    /// The scenario's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Alerts { scenario, .. } => scenario,
            Self::Test(test) => &test.name,
        }
    }

    /// The alerts that it must raise.
    pub fn alerts(&self) -> &[AlertEntry] {
        match self {
            Self::Alerts { alerts, .. } => alerts,
            Self::Test(_) => &[],
        }
    }

    /// Whether it may raise this alert.
    pub fn declares(&self, name: &str) -> bool {
        match self {
            Self::Alerts { alerts, .. } => {
                alerts.iter().any(|alert| alert.name == name || alert.also.iter().any(|also| also == name))
            }
            Self::Test(test) => test.may_fire.iter().any(|declared| declared == name),
        }
    }

    /// What is stopped while it runs.
    pub fn stop(&self) -> Option<Part> {
        self.alerts().iter().find_map(|alert| alert.stop)
    }

    /// Whether its scenario must run to its end and succeed.
    pub fn runs_to_its_end(&self) -> bool {
        match self {
            Self::Alerts { alerts, .. } => alerts.iter().any(|alert| alert.runs_to_its_end),
            Self::Test(_) => true,
        }
    }
}

impl Process {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Api, Self::Worker, Self::Gateway];

    /// Its name in traces, and its job in Prometheus.
    pub fn service(self) -> &'static str {
        match self {
            Self::Api => "glasshouse-api",
            Self::Worker => "glasshouse-worker",
            Self::Gateway => "glasshouse-gateway",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Api => "the API",
            Self::Collector => "the collector",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [[alert]]
        name = "BurnFast"
        scenario = "burn"
        also = ["HighErrorRate"]
        evidence = { log = "unhandled_exception" }
        [[alert]]
        name = "InstanceDown"
        scenario = "instance-down"
        stop = "api"
        evidence = { metric = "up == 0" }
        [[alert]]
        name = "BurnSlow"
        scenario = "burn"
        evidence = { span = "charge_payment", of = "worker" }
        [[test]]
        name = "smoke"
        may_fire = []
        drilled = true
        [[test]]
        name = "soak"
        may_fire = ["MemoryHigh"]
        drilled = false
    "#;

    #[test]
    fn alerts_of_one_scenario_are_one_exercise() {
        let catalogue = Catalogue::parse(TEXT).unwrap();
        let names = |exercises: Vec<Exercise>| -> Vec<String> {
            exercises.iter().map(|exercise| exercise.name().to_owned()).collect()
        };
        assert_eq!(names(catalogue.exercises()), ["smoke", "soak", "burn", "instance-down"]);
        assert_eq!(names(catalogue.drilled()), ["smoke", "burn", "instance-down"]);
        let burn = catalogue.find("BurnSlow").unwrap();
        assert_eq!((burn.name(), burn.alerts().len(), burn.stop()), ("burn", 2, None));
        assert!(burn.declares("HighErrorRate") && burn.declares("BurnFast") && !burn.declares("MemoryHigh"));
        assert_eq!(catalogue.find("instance-down").unwrap().stop(), Some(Part::Api));
        assert!(catalogue.find("soak").unwrap().declares("MemoryHigh"));
        assert!(catalogue.find("nothing").is_none());
    }

    #[test]
    fn what_it_does_not_know_is_an_error() {
        let error = Catalogue::parse("[[test]]\nname = \"a\"\nmay_fire = []\nmay_fail = []").unwrap_err();
        assert!(format!("{error:#}").contains("may_fail"), "{error:#}");
    }
}
