//! A process that can be stopped and restarted.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::redis;
use crate::stack::output::Output;
use crate::stack::process::{Child, ProcessSpec};

/// The timeout for a process to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// A process that can be stopped and restarted. All its runs share one captured output.
pub(super) struct ManagedProcess {
    spec: ProcessSpec,
    probe: ReadinessProbe,
    output: Output,
    /// `None` while it is stopped.
    child: Option<Child>,
}

/// How to check that a process is ready.
pub(super) enum ReadinessProbe {
    /// A GET request to this URL returns 2xx.
    Http(String),
    /// Redis answers a PING.
    Redis(SocketAddr),
}

impl ManagedProcess {
    /// Starts the process and waits until it is ready. Its output is also written to a file in the folder `logs`, if there is one.
    pub(super) async fn start(spec: ProcessSpec, probe: ReadinessProbe, logs: Option<&Path>) -> Result<Self> {
        let output = match logs {
            Some(folder) => Output::copied_to(&folder.join(format!("{}.log", spec.name)))?,
            None => Output::default(),
        };
        let mut process = Self { spec, probe, output, child: None };
        process.restart().await?;
        Ok(process)
    }

    /// Kills the process.
    pub(super) fn stop(&mut self) {
        self.child = None;
    }

    /// Kills the process if it runs, starts it again, and waits until it is ready.
    pub(super) async fn restart(&mut self) -> Result<()> {
        self.stop();
        let mut child = self.spec.spawn(self.output.clone())?;
        child.wait_until_ready(READY_TIMEOUT, async || self.probe.is_ready().await).await?;
        self.child = Some(child);
        Ok(())
    }

    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    /// The exit status and last lines if the process has exited without being stopped.
    pub(super) fn exit_report(&mut self) -> Result<Option<String>> {
        let status = self.child.as_mut().map(Child::exit_status).transpose()?.flatten();
        Ok(status.map(|status| format!("{} exited ({status}):\n{}", self.spec.name, self.output.tail(10))))
    }
}

impl ReadinessProbe {
    async fn is_ready(&self) -> bool {
        match self {
            Self::Http(url) => reqwest::get(url).await.is_ok_and(|response| response.status().is_success()),
            Self::Redis(address) => redis::is_ready(*address).await,
        }
    }
}
