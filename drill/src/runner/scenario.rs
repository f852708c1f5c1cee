//! Runs a scenario: a script of k6, or another program.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::polling::poll_until;
use crate::stack::{Child, Output, ProcessSpec, ScenarioCommand, Stack};

/// The status in k6's REST API while its virtual users run.
const STATUS_RUNNING: u64 = 7;
/// The exit code of an interrupted run of k6.
const EXIT_INTERRUPTED: i32 = 105;
/// The exit code of a run of k6 that crossed a threshold.
const EXIT_THRESHOLDS: i32 = 99;
/// The exit code of a shell that was interrupted, and the signal that interrupts.
const EXIT_SIGINT: (i32, i32) = (130, 2);
/// The timeout of the setup of a scenario, and of its teardown.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The timeout for the exit of a process that is ending already.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A running scenario. Dropping it kills it without its teardown, so injected faults stay active.
pub(super) struct Scenario {
    child: Child,
    interrupt: Option<ProcessSpec>,
    /// The status of k6; `None` for another program.
    status_url: Option<String>,
}

impl Scenario {
    /// Starts a scenario against this stack. The steady phase of its load lasts `duration`, or as long as the script
    /// defines.
    pub(super) async fn start(stack: &Stack, name: &str, duration: Option<Duration>) -> Result<Self> {
        let ScenarioCommand { run, interrupt, status_url } = stack.scenario_command(name, duration).await?;
        Ok(Self { child: run.spawn(Output::default())?, interrupt, status_url })
    }

    /// Waits until the setup is complete and the virtual users run. Another program than k6 has no setup.
    pub(super) async fn wait_until_running(&mut self) -> Result<()> {
        let Some(status_url) = &self.status_url else { return Ok(()) };
        let running = poll_until(TIMEOUT, async || {
            if let Some(status) = self.child.exit_status()? {
                bail!("k6 exited before its load began ({status}):\n{}", self.child.output().tail(15));
            }
            Ok((k6_status(status_url).await == Some(STATUS_RUNNING)).then_some(()))
        });
        running.await?.with_context(|| format!("k6 did not begin its load within {TIMEOUT:?}"))
    }

    /// The failure of a run that has exited; `None` if it still runs or has succeeded.
    pub(super) fn failure(&mut self) -> Result<Option<String>> {
        Ok(match self.child.exit_status()? {
            Some(status) if !status.success() => Some(self.describe_failure(status)),
            _ => None,
        })
    }

    pub(super) fn has_exited(&mut self) -> Result<bool> {
        Ok(self.child.exit_status()?.is_some())
    }

    /// Interrupts the run like Ctrl-C and waits for its teardown. Returns the failure, if any. Crossed thresholds are
    /// none, because they apply to whole runs.
    pub(super) async fn interrupt(&mut self) -> Result<Option<String>> {
        if self.has_exited()? {
            return Ok(None); // `failure` reports how it exited
        }
        let interrupted = match &self.interrupt {
            Some(command) => command.run(TIMEOUT).await.map(drop),
            None => self.child.interrupt(),
        };
        let status = match interrupted {
            Ok(()) => self.child.wait(TIMEOUT).await?,
            // It may have exited by itself in the meantime.
            Err(error) => self.child.wait(EXIT_TIMEOUT).await.map_err(|_| error)?,
        };
        let is_expected = match (&self.status_url, status.code()) {
            (_, Some(0)) => true,
            (Some(_), code) => matches!(code, Some(EXIT_INTERRUPTED | EXIT_THRESHOLDS)),
            (None, code) => code == Some(EXIT_SIGINT.0) || status.signal() == Some(EXIT_SIGINT.1),
        };
        Ok((!is_expected).then(|| self.describe_failure(status)))
    }

    fn describe_failure(&self, status: ExitStatus) -> String {
        let (name, output) = (self.child.name(), self.child.output());
        match status.code() {
            Some(EXIT_THRESHOLDS) if self.status_url.is_some() => {
                let crossed = [output.lines_with("✗"), output.lines_with("thresholds on metrics")].concat();
                format!("k6 crossed its thresholds:\n{}", crossed.join("\n"))
            }
            Some(code) => format!("{name} exited with {code}:\n{}", output.tail(15)),
            None => format!("{name} was killed:\n{}", output.tail(15)),
        }
    }
}

async fn k6_status(url: &str) -> Option<u64> {
    let response: Value = reqwest::get(url).await.ok()?.json().await.ok()?;
    response["data"]["attributes"]["status"].as_u64()
}
