//! The shape of `drill.toml`, which describes a project to this program. `docs/adapt.md` explains it by an example.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;
use url::Url;

use crate::catalogue::{AlertEntry, Catalogue, TestEntry};

/// Environment variables: names with their values.
pub type Variables = BTreeMap<String, String>;

/// The content of `drill.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the project: lowercase letters, digits and `_`. Names of databases and containers begin with it.
    pub name: String,
    /// Where the files are.
    #[serde(default)]
    pub paths: Paths,
    /// The scripts that cause faults or load.
    #[serde(default)]
    pub scenarios: Scenarios,
    /// The processes of the service, in the order in which they start. The catalogue means the first, if it names none.
    #[serde(rename = "process", default)]
    pub processes: Vec<Process>,
    /// The variables of all processes, on each platform. They have no placeholders.
    #[serde(default)]
    pub environment: Variables,
    /// Commands that run once, in this order, before the processes of a native stack start.
    #[serde(default)]
    pub setup: Vec<Setup>,
    /// How the catalogue's remedies run.
    pub remedy: Option<RemedyRunner>,
    /// What a stack of processes has besides the service.
    #[serde(default)]
    pub native: Native,
    /// A stack of containers; without it, there is none.
    pub compose: Option<Compose>,
    /// A stack that already runs.
    #[serde(default)]
    pub attached: Attached,
    /// What a stack has for people, which `drill stack` starts.
    #[serde(default)]
    pub shown: Shown,
    /// The URLs that `drill stack` prints, by their names. It leaves out a page that does not open.
    #[serde(default)]
    pub pages: BTreeMap<String, String>,
    /// The metrics of other exporters that rules and dashboards use, with their labels.
    #[serde(default)]
    pub external_metrics: BTreeMap<String, Vec<String>>,
    /// The catalogue, unless it is a file of its own (`paths.catalogue`).
    #[serde(rename = "alert", default)]
    alerts: Vec<AlertEntry>,
    /// The load tests of the catalogue.
    #[serde(rename = "test", default)]
    tests: Vec<TestEntry>,
}

/// Paths, relative to the folder of `drill.toml`. A check of a file that has no path here is left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// The catalogue of alerts and tests, unless it is part of `drill.toml`.
    pub catalogue: Option<PathBuf>,
    /// The folder of the scenarios.
    pub scenarios: PathBuf,
    /// The configuration of Prometheus.
    pub prometheus: PathBuf,
    /// The folder of Prometheus' rule files (`.yml`).
    pub rules: PathBuf,
    /// The configuration of Alertmanager.
    pub alertmanager: PathBuf,
    /// The folder of the rules' promtool tests.
    pub rule_tests: Option<PathBuf>,
    /// The folder of the runbooks: a page `high-error-rate.md` for the alert `HighErrorRate`.
    pub runbooks: Option<PathBuf>,
    /// The configuration of the blackbox exporter.
    pub blackbox: Option<PathBuf>,
    /// The folder of the dashboards.
    pub dashboards: Option<PathBuf>,
    /// The folder of Grafana's provisioned data sources.
    pub data_sources: Option<PathBuf>,
    /// The telemetry contract of the service.
    pub telemetry_contract: Option<PathBuf>,
    /// The service level objectives, in Sloth's format.
    pub slos: Option<PathBuf>,
    /// The rules that are generated from them.
    pub slo_rules: Option<PathBuf>,
    /// The page from which the links of a report in Markdown lead.
    pub report: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            catalogue: None,
            scenarios: "scenarios".into(),
            prometheus: "prometheus.yml".into(),
            rules: "rules".into(),
            alertmanager: "alertmanager.yml".into(),
            rule_tests: None,
            runbooks: None,
            blackbox: None,
            dashboards: None,
            data_sources: None,
            telemetry_contract: None,
            slos: None,
            slo_rules: None,
            report: "drills.md".into(),
        }
    }
}

/// What all scenarios have in common.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenarios {
    /// Their variables, in addition to `SPEED` and `DURATION`. In containers, those of the Compose file apply.
    pub environment: Variables,
    /// The test during which every panel of the dashboards has data, except those that need a fault.
    pub normal_load: Option<String>,
}

/// A process of the service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The name in the catalogue and in messages, and of its Compose service.
    pub name: String,
    /// The name in spans and log records, which is also its job in Prometheus. By default its name.
    service: Option<String>,
    /// The program with its arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// Its variables on a native stack.
    #[serde(default)]
    pub environment: Variables,
    /// The names of the ports that it listens on. `{NAME.PORT}` is the address, such as `127.0.0.1:8080`.
    #[serde(default)]
    pub ports: Vec<String>,
    /// The port with its metrics. By default the first one.
    metrics: Option<String>,
    /// A URL that returns 2xx once it is ready. By default that of its metrics.
    pub(super) ready: Option<String>,
    /// A URL that lists the active faults as JSON, and clears them on DELETE.
    pub faults: Option<String>,
}

/// A command that prepares a native stack, such as a migration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The program with its arguments.
    pub command: Vec<String>,
    /// Its variables.
    #[serde(default)]
    pub environment: Variables,
}

/// How a remedy runs: its words are added to a command.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemedyRunner {
    /// The process whose variables it has, and in whose container it runs.
    pub process: String,
    /// What the command begins with on a native stack.
    #[serde(default)]
    pub command: Vec<String>,
    /// What it begins with in a container.
    #[serde(default)]
    pub in_container: Vec<String>,
}

/// What a stack of processes has besides the service, Prometheus, Alertmanager, and the receivers of notifications and spans.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Native {
    /// How many such stacks can run drills at the same time: one, unless set. Drills wait for most of their time.
    pub stacks: Option<NonZeroUsize>,
    /// Variables of all processes and commands.
    pub environment: Variables,
    /// A Redis, at `{redis}`.
    pub redis: bool,
    /// A temporary database on an existing Postgres, at `{postgres.url}`, and for the owner of its schema at
    /// `{postgres.owner_url}`.
    pub postgres: Option<Postgres>,
    /// The exporter of the file systems, as the job `node-exporter`.
    pub node_exporter: bool,
    /// The way from customers to a port, which a drill can close. The blackbox exporter requests it, as the job
    /// `public-endpoint`.
    pub front_door: Option<FrontDoor>,
}

/// The roles of the temporary database.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Postgres {
    /// A group that the login role of the service is a member of.
    pub group: Option<String>,
    /// A script whose statements `ALTER ROLE … SET …` give a deployed role its defaults.
    pub defaults: Option<PathBuf>,
    /// That role.
    pub defaults_of: Option<String>,
    /// Whether the exporter of Postgres runs, as the job `postgres-exporter`.
    pub exporter: bool,
}

/// The way from customers to the service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontDoor {
    /// The port that it leads to, as `NAME.PORT`.
    pub to: String,
    /// The path that is requested.
    pub path: String,
}

/// What a stack of processes has for people, and not for drills.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shown {
    /// Variables of all processes and commands.
    pub environment: Variables,
    /// Shell functions, for example those of the runbooks, besides those for processes (`drill/src/stack/native/functions.sh`).
    /// `{logs}` is the folder with a log file of each process.
    pub functions: String,
}

/// A stack of containers. `alert-receiver`, `alertmanager`, `k6`, `loki`, `prometheus` and `tempo` are the names of services
/// that every drill uses; a service that a drill stops has the name of the component.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compose {
    /// The Compose file.
    pub file: PathBuf,
    /// The image that it builds, which an existing one may replace.
    pub image: String,
    /// The service that builds it.
    pub build: String,
    /// The services that start with the stack.
    pub services: Vec<String>,
    /// The services that run for a while, such as `k6`.
    pub one_off: Vec<String>,
    /// Those of them that run once the stack is up.
    #[serde(default)]
    pub setup: Vec<String>,
    /// The jobs of Prometheus besides those of the processes.
    #[serde(default)]
    pub jobs: Vec<String>,
    /// The ports `NAME.PORT` in the containers.
    pub ports: BTreeMap<String, u16>,
    /// Further variables of all processes.
    #[serde(default)]
    pub environment: Variables,
}

/// A stack that already runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attached {
    /// The URL of Prometheus.
    pub prometheus: Option<Url>,
    /// The URL of Alertmanager.
    pub alertmanager: Option<Url>,
    /// The URL of the receiver that Alertmanager delivers to: `drill receiver`. If nothing listens there, the drill does.
    pub receiver: Option<Url>,
    /// The URL of Loki, for evidence in log records.
    pub loki: Option<Url>,
    /// The URL of Tempo, for evidence in spans.
    pub tempo: Option<Url>,
    /// The addresses of the ports `NAME.PORT`.
    pub ports: BTreeMap<String, String>,
}

/// A random value for each stack.
pub const SECRET: &str = "secret";

impl Config {
    /// The catalogue in this file; `None` if it has none.
    pub(super) fn catalogue(&self) -> Option<Catalogue> {
        let is_empty = self.alerts.is_empty() && self.tests.is_empty();
        (!is_empty).then(|| Catalogue { alerts: self.alerts.clone(), tests: self.tests.clone() })
    }

    /// The ports of all processes, as `NAME.PORT`.
    pub fn ports(&self) -> impl Iterator<Item = String> {
        let ports = |process: &'_ Process| -> Vec<String> {
            process.ports.iter().map(|port| process.port(port)).collect()
        };
        self.processes.iter().flat_map(ports)
    }
}

impl Process {
    /// The service name in spans and log records, which is also the job in Prometheus.
    pub fn service(&self) -> &str {
        self.service.as_ref().unwrap_or(&self.name)
    }

    /// The full name of a port.
    pub(super) fn port(&self, port: &str) -> String {
        format!("{}.{port}", self.name)
    }

    /// The name of the port with its metrics.
    pub(super) fn metrics_port(&self) -> &str {
        self.metrics.as_deref().or(self.ports.first().map(String::as_str)).unwrap_or_default()
    }

    /// The full name of the port with its metrics.
    pub fn metrics(&self) -> String {
        self.port(self.metrics_port())
    }

    /// A URL that returns 2xx once it is ready.
    pub fn ready(&self) -> String {
        self.ready.clone().unwrap_or_else(|| format!("http://{{{}}}/metrics", self.metrics()))
    }
}

impl Attached {
    /// A URL that must be set.
    ///
    /// # Errors
    /// It is not set.
    pub fn required<'a>(name: &str, url: &'a Option<Url>) -> Result<&'a Url> {
        url.as_ref().with_context(|| {
            format!(
                "the {name} of the stack that runs is unknown: set --{name} or attached.{name} in drill.toml"
            )
        })
    }
}
