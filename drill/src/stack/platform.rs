//! The platforms that a stack can run on.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use url::Url;

use super::process::find_program;
use crate::catalogue::{Exercise, Host};

/// A platform with its options.
#[derive(Clone, Debug)]
pub enum Platform {
    /// Processes of this machine.
    Native(NativeOptions),
    /// The containers of the project's Compose file.
    Compose(ComposeOptions),
    /// A stack that runs already.
    Attached(Box<AttachedOptions>),
}

/// The options of a stack of processes.
#[derive(Clone, Debug, Default)]
pub struct NativeOptions {
    /// The folder of the programs of the service: the placeholder `{programs}`.
    pub programs: PathBuf,
    /// The program k6, if scenarios need it.
    pub k6: Option<PathBuf>,
    /// The URL of Postgres for a superuser, if the stack has a database.
    pub postgres: Option<String>,
    /// Its server, if a shell of this machine controls it.
    pub postgres_server: Option<PostgresServer>,
}

/// The server of Postgres.
#[derive(Clone, Debug)]
pub struct PostgresServer {
    /// A shell command that controls it as `pg_ctl` does, once the words `status`, `stop` or `restart` are added.
    pub control: String,
    /// The file of its log.
    pub log: PathBuf,
}

/// The options of a stack of containers.
#[derive(Clone, Debug)]
pub struct ComposeOptions {
    /// An existing image of the service. Without one, the image is built.
    pub image: Option<String>,
}

/// Where the components of a stack are that runs already.
#[derive(Clone, Debug)]
pub struct AttachedOptions {
    /// Prometheus.
    pub prometheus: Url,
    /// Alertmanager.
    pub alertmanager: Url,
    /// The receiver that it delivers to.
    pub receiver: Url,
    /// Loki, for evidence in log records.
    pub loki: Option<Url>,
    /// Tempo, for evidence in spans.
    pub tempo: Option<Url>,
    /// The addresses of the service's ports, by `NAME.PORT`.
    pub ports: BTreeMap<String, String>,
    /// The program k6, if scenarios need it.
    pub k6: Option<PathBuf>,
}

impl Platform {
    /// Checks that an exercise can be run.
    ///
    /// # Errors
    /// It stops a component that the platform lacks, or needs evidence that it does not offer.
    pub fn check(&self, exercise: &Exercise) -> Result<()> {
        let (name, host) = (exercise.name(), self.host());
        let is_possible = exercise.only_on().is_none_or(|only| only == host);
        ensure!(is_possible, "{name} cannot be drilled on the stack {self}: see only_on in the catalogue");
        if let Some(process) = exercise.scale() {
            let is_compose = host == Host::Compose;
            ensure!(is_compose, "{name} scales {process}: only a stack of containers has replicas");
        }
        let Self::Attached(options) = self else { return Ok(()) };
        if let Some(component) = exercise.stop() {
            anyhow::bail!(
                "{name} stops {component}: a drill stops nothing of a stack that it has not started"
            );
        }
        ensure!(
            exercise.remedy().is_none(),
            "{name} has a remedy: a drill runs no command of a stack that it has not started"
        );
        for (name, evidence) in exercise.evidence() {
            let needs = |what: &Option<String>, store: &Option<Url>| what.is_none() || store.is_some();
            let has_logs = needs(&evidence.log, &options.loki);
            ensure!(has_logs, "the evidence of {name} is a log record: set --loki or attached.loki");
            let has_spans = needs(&evidence.span, &options.tempo);
            ensure!(has_spans, "the evidence of {name} is a span: set --tempo or attached.tempo");
        }
        Ok(())
    }

    /// The name of the platform, as the catalogue has it.
    pub fn host(&self) -> Host {
        match self {
            Self::Native(_) => Host::Native,
            Self::Compose(_) => Host::Compose,
            Self::Attached(_) => Host::Attached,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native(_) => "of processes on this machine",
            Self::Compose(_) => "of docker-compose.yml",
            Self::Attached(_) => "that ran already",
        })
    }
}

/// Whether Docker can be used: its command line and Compose are installed, and its engine responds.
pub fn is_docker_available() -> bool {
    let succeeds = |arguments: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        docker.status().is_ok_and(|status| status.success())
    };
    find_program(&["docker"]).is_some() && succeeds(&["compose", "version"]) && succeeds(&["info"])
}
