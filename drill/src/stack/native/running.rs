use std::net::SocketAddr;

use anyhow::Result;

use super::redis;
use crate::stack::child::{Child, Launch, Output};

/// A process that may be stopped and started again; its output goes on.
pub(super) struct Running {
    launch: Launch,
    readiness: Readiness,
    output: Output,
    child: Option<Child>,
}

/// How a process shows that it is ready.
pub(super) enum Readiness {
    /// It answers this with success.
    Http(String),
    /// It answers as Redis does.
    Redis(SocketAddr),
}

impl Running {
    /// Starts a process, and waits until it is ready.
    pub(super) async fn start(launch: Launch, readiness: Readiness) -> Result<Self> {
        let mut running = Self { launch, readiness, output: Output::default(), child: None };
        running.start_again().await?;
        Ok(running)
    }

    /// Kills it.
    pub(super) fn stop(&mut self) {
        self.child = None;
    }

    /// Starts it anew, and waits until it is ready.
    pub(super) async fn start_again(&mut self) -> Result<()> {
        self.stop();
        let mut child = self.launch.start(self.output.clone())?;
        child.ready(async || self.readiness.is_shown().await).await?;
        self.child = Some(child);
        Ok(())
    }

    /// What it wrote.
    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    /// How it ended although nobody stopped it, if it did, with its last lines.
    pub(super) fn casualty(&mut self) -> Result<Option<String>> {
        let status = self.child.as_mut().map(Child::ended).transpose()?.flatten();
        Ok(status.map(|status| format!("{} ended ({status}):\n{}", self.launch.name, self.output.tail(10))))
    }
}

impl Readiness {
    async fn is_shown(&self) -> bool {
        match self {
            Self::Http(url) => reqwest::get(url).await.is_ok_and(|answer| answer.status().is_success()),
            Self::Redis(address) => redis::answers(*address).await,
        }
    }
}
