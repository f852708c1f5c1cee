//! The commands that run scenarios on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::process::ProcessSpec;
use crate::project::{Project, Variables};
use crate::speed::Speed;
use crate::template::Values;

/// How a scenario is run.
pub(crate) struct ScenarioCommand {
    /// Runs it, or attaches to the output of its container.
    pub(crate) run: ProcessSpec,
    /// Interrupts it, if a signal to the process of `run` does not reach it.
    pub(crate) interrupt: Option<ProcessSpec>,
    /// The status of k6; `None` for another script.
    pub(crate) status_url: Option<String>,
}

/// How long a scenario runs that people look at.
const SHOWN: &str = "5m";

/// Runs scenarios against a stack.
pub(super) struct LocalScenarios {
    /// `None` if it is not installed.
    k6: Option<PathBuf>,
    /// The address of k6's REST API.
    address: SocketAddr,
    environment: Variables,
    /// Where a script may write the results of its run: those of a drill, at its speed, are nothing to compare other runs with.
    results: TempDir,
}

impl LocalScenarios {
    /// Scenarios with the project's variables, in which placeholders have these values.
    pub(super) fn new(
        project: &Project,
        speed: Speed,
        k6: Option<PathBuf>,
        address: SocketAddr,
        values: &Values,
    ) -> Result<Self> {
        let variables = project.config().scenarios.environment.iter();
        let expanded = variables.map(|(name, text)| Ok((name.clone(), values.expand(text)?)));
        let mut environment = expanded.collect::<Result<Variables>>()?;
        environment.insert("SPEED".to_owned(), speed.to_string());
        let results = tempfile::tempdir().context("a folder for the results of scenarios")?;
        Ok(Self { k6, address, environment, results })
    }

    /// Runs a scenario. The steady phase of its load lasts `duration`, or as long as the script defines.
    pub(super) fn command(
        &self,
        project: &Project,
        scenario: &str,
        duration: Option<Duration>,
    ) -> Result<ScenarioCommand> {
        let script = project.scenario(scenario)?;
        let is_k6 = script.extension().is_some_and(|extension| extension == "js");
        let mut run = if is_k6 {
            let k6 = self.k6.as_ref().context("k6 is not in PATH: `make drills` installs it")?;
            let run = ProcessSpec::new("k6", k6).argument("run").argument("--no-color").argument("--quiet");
            run.argument("--address").argument(self.address.to_string()).argument(script)
        } else {
            let name = script.file_name().unwrap_or_default().to_string_lossy().into_owned();
            ProcessSpec::new(name, script)
        };
        run.folder = Some(project.root().to_owned());
        run.environment.extend(&self.environment);
        run.environment.insert("K6_NO_USAGE_REPORT", "true");
        run.environment.insert("RESULTS_DIR", self.results.path().display().to_string());
        run.environment.extend(duration.map(|duration| ("DURATION", format!("{}s", duration.as_secs()))));
        let status_url = is_k6.then(|| format!("http://{}/v1/status", self.address));
        Ok(ScenarioCommand { run, interrupt: None, status_url })
    }

    /// A shell command that runs a scenario for long enough to look at it; `None` if the scenario or k6 is missing.
    pub(super) fn command_line(&self, project: &Project, scenario: &str) -> Option<String> {
        let command = self.command(project, scenario, None).ok()?;
        let variables = self.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let variables = variables.chain([format!("DURATION={SHOWN}")]);
        let arguments = command.run.arguments.iter().filter(|argument| {
            !matches!(argument.to_str(), Some("--no-color" | "--quiet" | "--address"))
                && **argument != *self.address.to_string()
        });
        let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
        let program = command.run.program.display().to_string();
        Some(variables.chain([program]).chain(arguments).collect::<Vec<_>>().join(" "))
    }
}
