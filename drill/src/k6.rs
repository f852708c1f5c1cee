//! Runs a scenario with k6.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::stack::{Child, Launch, Output, Player, Stack};
use crate::watch::until;

/// What k6's interface says while its virtual users are at work.
const RUNNING: u64 = 7;
/// The exit code of a run that was interrupted.
const INTERRUPTED: i32 = 105;
/// The exit code of a run that did not keep its thresholds.
const THRESHOLDS: i32 = 99;
/// How long setting up may take, and how long putting back.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long the end of something that has ended may take to be seen.
const GRACE: Duration = Duration::from_secs(5);

/// A scenario that runs. Dropping it kills k6, which then puts nothing back.
pub struct Scenario {
    child: Child,
    interrupt: Option<Launch>,
    interface: String,
}

impl Scenario {
    /// Starts a scenario against this stack. Its load lasts as long as the script says, or `lasting`.
    pub async fn start(stack: &Stack, name: &str, lasting: Option<Duration>) -> Result<Self> {
        let Player { launch, interrupt } = stack.player(name, lasting).await?;
        let interface = format!("http://{}/v1/status", stack.addresses().k6);
        Ok(Self { child: launch.start(Output::default())?, interrupt, interface })
    }

    /// Waits until its setup is over and its load has begun.
    pub async fn running(&mut self) -> Result<()> {
        let begun = until(PATIENCE, async || {
            if let Some(status) = self.child.ended()? {
                bail!("k6 ended before its load began ({status}):\n{}", self.child.output().tail(15));
            }
            Ok((status_of(&self.interface).await == Some(RUNNING)).then_some(()))
        });
        begun.await?.with_context(|| format!("k6 did not begin its load within {PATIENCE:?}"))
    }

    /// What is wrong if it has ended with a failure.
    pub fn failure(&mut self) -> Result<Option<String>> {
        Ok(match self.child.ended()? {
            Some(status) if !status.success() => Some(self.told(status.code())),
            _ => None,
        })
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.ended()?.is_some())
    }

    /// Interrupts it as Ctrl-C does, and waits until it has put back what it changed. What is wrong if that
    /// failed; thresholds are made for whole runs, and say nothing about one that was cut short.
    pub async fn interrupt(&mut self) -> Result<Option<String>> {
        if self.has_ended()? {
            return Ok(None); // how it ended is known from `failure`
        }
        let told = match &self.interrupt {
            Some(command) => command.run(PATIENCE).await.map(drop),
            None => self.child.interrupt(),
        };
        let status = match told {
            Ok(()) => self.child.ended_within(PATIENCE).await?,
            // It may just have ended by itself.
            Err(error) => self.child.ended_within(GRACE).await.map_err(|_| error)?,
        };
        Ok((!matches!(status.code(), Some(0 | INTERRUPTED | THRESHOLDS))).then(|| self.told(status.code())))
    }

    fn told(&self, code: Option<i32>) -> String {
        let output = self.child.output();
        match code {
            Some(THRESHOLDS) => {
                let crossed = [output.lines_with("✗"), output.lines_with("thresholds on metrics")].concat();
                format!("k6 did not keep its thresholds:\n{}", crossed.join("\n"))
            }
            Some(code) => format!("k6 ended with {code}:\n{}", output.tail(15)),
            None => format!("k6 was killed:\n{}", output.tail(15)),
        }
    }
}

async fn status_of(interface: &str) -> Option<u64> {
    let answer: Value = reqwest::get(interface).await.ok()?.json().await.ok()?;
    answer["data"]["attributes"]["status"].as_u64()
}
