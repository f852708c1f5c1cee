//! `serve`, `worker` and `gateway`: long-running processes, each with its part of the configuration.

use tokio::signal::unix::{SignalKind, signal};

use crate::application::Application;
use crate::config::Config;

/// Runs a role until the process is told to stop.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    Application::build(config).await?.run_until(stop_signal()?).await
}

/// Resolves when the process is told to stop: SIGTERM from an orchestrator, SIGINT from a terminal.
pub(crate) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
