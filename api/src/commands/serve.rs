//! `serve`, `worker` and `gateway`: the long-running processes.

use tokio::signal::unix::{SignalKind, signal};

use crate::application::Application;
use crate::config::Config;

/// Runs a process until it receives a signal to stop.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    Application::build(config).await?.run_until(stop_signal()?).await
}

/// Resolves on SIGTERM, which orchestrators send, and on SIGINT, which a terminal sends for Ctrl-C.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
