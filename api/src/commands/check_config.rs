//! `check-config`: validates the configuration of a process without starting it.

use glasshouse_telemetry::Telemetry;

use crate::application::Application;
use crate::config::{Config, ProcessKind};
use crate::stdout;

/// Validates the configuration of a kind of process, and builds the clients that it starts with, without a connection.
pub(crate) fn run(kind: ProcessKind) -> anyhow::Result<()> {
    let (telemetry, config) = Config::from_environment(kind, false)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        Telemetry::check(&telemetry)?;
        Application::check(config)
    })?;
    Ok(stdout::print("the configuration is valid\n")?)
}
