//! The catalogue: which scenario causes which alert, and the evidence that it leaves.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The content of the catalogue.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// All alerts of the rules.
    #[serde(rename = "alert", default)]
    pub alerts: Vec<AlertEntry>,
    /// The load tests without a fault.
    #[serde(rename = "test", default)]
    pub tests: Vec<TestEntry>,
}

/// An alert and its cause.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertEntry {
    /// The name of the alert in the rules.
    pub name: String,
    /// The scenario that causes the alert: the name of a script, without its extension.
    pub scenario: String,
    /// Other alerts that may fire from the same cause.
    #[serde(default)]
    pub also: Vec<String>,
    /// The evidence that the runbook refers to. A drill must find it.
    pub evidence: Evidence,
    /// The alert that inhibits this one while both fire. This one is delivered once the other is resolved.
    pub inhibited_by: Option<String>,
    /// The component that the drill stops while the scenario runs, and restarts afterwards.
    pub stop: Option<Component>,
    /// The command of the service, such as `dead-letters requeue --all`, that the drill runs after the fault, because
    /// the alert does not resolve by itself.
    pub remedy: Option<String>,
    /// Whether the fault keeps notifications from arriving, so that this one is delivered after it.
    #[serde(default)]
    pub delivered_after: bool,
    /// The platform on which it is drilled, if the other one cannot cause the fault.
    pub only_on: Option<Host>,
    /// Whether the scenario must run to completion and keep its thresholds. Otherwise it is interrupted once the alert
    /// has been delivered.
    #[serde(default)]
    pub runs_to_completion: bool,
}

/// A load test without a fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestEntry {
    /// The name of a script, without its extension.
    pub name: String,
    /// The alerts that may fire.
    #[serde(default)]
    pub may_fire: Vec<String>,
    /// Whether `drill all` runs the test.
    pub drilled: bool,
    /// The platform on which it can be run, if the other one lacks what it needs.
    pub only_on: Option<Host>,
    /// The process of the service that gets a second replica while the test runs.
    pub scale: Option<String>,
    /// What the test must leave, while it runs.
    #[serde(default)]
    pub evidence: Evidence,
}

/// The telemetry that a fault or a test leaves. Each field that is set must be found.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The event of a log record.
    pub log: Option<String>,
    /// The name of a span.
    pub span: Option<String>,
    /// A PromQL query that returns a sample meanwhile.
    pub metric: Option<String>,
    /// The process that emits the log record or the span; the project's first by default.
    pub of: Option<String>,
}

/// The alert that always fires. Its absence is the alarm, and what its drill observes.
pub const WATCHDOG: &str = "Watchdog";

/// What a stack runs on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// Containers.
    Compose,
    /// Processes of this machine.
    Native,
    /// A stack that runs already.
    Attached,
}

/// A component of the stack that a drill can stop.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(from = "String")]
pub enum Component {
    /// The database.
    Postgres,
    /// Redis.
    Redis,
    /// The process of the service with this name.
    Process(String),
    /// The OpenTelemetry Collector.
    Collector,
    /// Alertmanager.
    Alertmanager,
    /// The receiver of notifications.
    Receiver,
    /// The exporter of Postgres' metrics.
    Exporter,
    /// The way from customers to the API.
    FrontDoor,
    /// The store of traces.
    Tempo,
    /// The free space of a file system, which is filled.
    Disk,
}

/// One run of a scenario: it proves its alerts, or is a load test without a fault.
#[derive(Clone, Debug)]
pub enum Exercise {
    /// A scenario whose alerts must fire.
    Alerts {
        /// The name of the scenario.
        scenario: String,
        /// The alerts that must fire.
        alerts: Vec<AlertEntry>,
    },
    /// A load test that must succeed.
    Test(TestEntry),
}

impl Catalogue {
    /// Reads the catalogue file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a catalogue.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Parses the text of a catalogue.
    ///
    /// # Errors
    /// A field is missing or unknown.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// All exercises. The tests come first, because they also verify that the stack is healthy.
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

    /// The exercises of `drill all` on a platform.
    pub fn drilled(&self, host: Host) -> Vec<Exercise> {
        let is_drilled = |exercise: &Exercise| match exercise {
            Exercise::Alerts { .. } => true,
            Exercise::Test(test) => test.drilled,
        };
        let is_possible = |exercise: &Exercise| exercise.only_on().is_none_or(|only| only == host);
        self.exercises()
            .into_iter()
            .filter(|exercise| is_drilled(exercise) && is_possible(exercise))
            .collect()
    }

    /// What `drill stack` shows: the first test, and the first drill whose scenario triggers its alerts by itself.
    pub fn shown(&self) -> Vec<Exercise> {
        let exercises = self.exercises();
        let test = exercises.iter().find(|exercise| matches!(exercise, Exercise::Test(_)));
        let drill = exercises.iter().find(|exercise| {
            matches!(exercise, Exercise::Alerts { .. })
                && exercise.stop().is_none()
                && exercise.only_on().is_none()
        });
        test.into_iter().chain(drill).cloned().collect()
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
    /// The name of the scenario.
    pub fn name(&self) -> &str {
        match self {
            Self::Alerts { scenario, .. } => scenario,
            Self::Test(test) => &test.name,
        }
    }

    /// What it does, such as `Trigger HighErrorRate` or `Load test smoke`.
    pub fn title(&self) -> String {
        match self {
            Self::Alerts { alerts, .. } => {
                let names: Vec<_> = alerts.iter().map(|alert| alert.name.as_str()).collect();
                format!("Trigger {}", names.join(", "))
            }
            Self::Test(test) => format!("Load test {}", test.name),
        }
    }

    /// The alerts that must fire; empty for a test.
    pub fn alerts(&self) -> &[AlertEntry] {
        match self {
            Self::Alerts { alerts, .. } => alerts,
            Self::Test(_) => &[],
        }
    }

    /// The evidence to be found, each with the name of its alert or test.
    pub fn evidence(&self) -> Vec<(&str, &Evidence)> {
        match self {
            Self::Alerts { alerts, .. } => {
                alerts.iter().map(|alert| (alert.name.as_str(), &alert.evidence)).collect()
            }
            Self::Test(test) => vec![(test.name.as_str(), &test.evidence)],
        }
    }

    /// Whether the catalogue allows this alert to fire during the exercise.
    pub fn declares(&self, name: &str) -> bool {
        if name == WATCHDOG {
            return true;
        }
        match self {
            Self::Alerts { alerts, .. } => {
                alerts.iter().any(|alert| alert.name == name || alert.also.iter().any(|also| also == name))
            }
            Self::Test(test) => test.may_fire.iter().any(|declared| declared == name),
        }
    }

    /// The component that is stopped during the exercise.
    pub fn stop(&self) -> Option<Component> {
        self.alerts().iter().find_map(|alert| alert.stop.clone())
    }

    /// The process that gets a second replica during the exercise.
    pub fn scale(&self) -> Option<&str> {
        match self {
            Self::Alerts { .. } => None,
            Self::Test(test) => test.scale.as_deref(),
        }
    }

    /// The platform on which it can be run; `None` for all.
    pub fn only_on(&self) -> Option<Host> {
        match self {
            Self::Alerts { alerts, .. } => alerts.iter().find_map(|alert| alert.only_on),
            Self::Test(test) => test.only_on,
        }
    }

    /// The arguments of the service's command that is run after the exercise.
    pub fn remedy(&self) -> Option<Vec<&str>> {
        let remedy = self.alerts().iter().find_map(|alert| alert.remedy.as_deref())?;
        Some(remedy.split_whitespace().collect())
    }

    /// Whether the scenario must run to completion and succeed.
    pub fn runs_to_completion(&self) -> bool {
        match self {
            Self::Alerts { alerts, .. } => alerts.iter().any(|alert| alert.runs_to_completion),
            Self::Test(_) => true,
        }
    }
}

impl Component {
    /// The components of a stack besides the processes of the service, with their names in the catalogue.
    const OTHERS: [(&str, Self); 9] = [
        ("postgres", Self::Postgres),
        ("redis", Self::Redis),
        ("collector", Self::Collector),
        ("alertmanager", Self::Alertmanager),
        ("receiver", Self::Receiver),
        ("exporter", Self::Exporter),
        ("front-door", Self::FrontDoor),
        ("tempo", Self::Tempo),
        ("disk", Self::Disk),
    ];
}

impl From<String> for Component {
    fn from(name: String) -> Self {
        let other = Self::OTHERS.into_iter().find(|(known, _)| *known == name);
        other.map_or(Self::Process(name), |(_, component)| component)
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "Postgres",
            Self::Redis => "Redis",
            Self::Process(name) => name,
            Self::Collector => "the collector",
            Self::Alertmanager => "Alertmanager",
            Self::Receiver => "the receiver of notifications",
            Self::Exporter => "the exporter of Postgres",
            Self::FrontDoor => "the way to the public port",
            Self::Tempo => "Tempo",
            Self::Disk => "a file system",
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
        only_on = "native"
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
        [[test]]
        name = "scaled"
        may_fire = []
        drilled = true
        only_on = "compose"
        scale = "worker"
    "#;

    #[test]
    fn alerts_of_one_scenario_form_one_exercise() {
        let catalogue = Catalogue::parse(TEXT).unwrap();
        let names = |exercises: Vec<Exercise>| -> Vec<String> {
            exercises.iter().map(|exercise| exercise.name().to_owned()).collect()
        };
        assert_eq!(names(catalogue.exercises()), ["smoke", "soak", "scaled", "burn", "instance-down"]);
        assert_eq!(names(catalogue.drilled(Host::Native)), ["smoke", "burn", "instance-down"]);
        assert_eq!(names(catalogue.drilled(Host::Compose)), ["smoke", "scaled", "burn"]);
        assert_eq!(catalogue.find("scaled").unwrap().scale(), Some("worker"));
        let burn = catalogue.find("BurnSlow").unwrap();
        assert_eq!((burn.name(), burn.alerts().len(), burn.stop()), ("burn", 2, None));
        assert!(burn.declares("HighErrorRate") && burn.declares("BurnFast") && !burn.declares("MemoryHigh"));
        let api = Component::Process("api".to_owned());
        assert_eq!(catalogue.find("instance-down").unwrap().stop(), Some(api));
        assert!(catalogue.find("soak").unwrap().declares("MemoryHigh"));
        assert!(catalogue.find("nothing").is_none());
    }

    #[test]
    fn a_load_test_and_a_scenario_that_triggers_alerts_by_itself_are_shown() {
        let titles = |text: &str| -> Vec<String> {
            Catalogue::parse(text).unwrap().shown().iter().map(Exercise::title).collect()
        };
        assert_eq!(titles(TEXT), ["Load test smoke", "Trigger BurnFast, BurnSlow"]);
        let (stopping, _) = TEXT.rsplit_once("[[alert]]").unwrap();
        let stopping = &stopping[stopping.rfind("[[alert]]").unwrap()..];
        assert_eq!(titles(stopping), [""; 0], "the scenario alone does not stop the API");
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        let error = Catalogue::parse("[[test]]\nname = \"a\"\nmay_fire = []\nmay_fail = []").unwrap_err();
        assert!(format!("{error:#}").contains("may_fail"), "{error:#}");
    }
}
