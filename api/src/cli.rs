//! The command line.

use std::io::{self, IsTerminal, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use glasshouse_telemetry::{Telemetry, TelemetrySettings};

use crate::commands;
use crate::commands::check_config::CheckedRole;
use crate::commands::seed::SeedArgs;
use crate::config::{Config, Reader, Role, environment, read_telemetry};

/// A multi-tenant SaaS backend whose inside can be seen from outside.
///
/// Settings come from environment variables: see .env.example.
#[derive(Debug, Parser)]
#[command(name = "glasshouse", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything in one process, on embedded parts: API, worker, payment gateway, SQLite (the default).
    Demo,
    /// The API; needs Postgres, Redis and a payment gateway.
    Serve,
    /// The outbox relay and the payment reconciler; needs Postgres and a payment gateway.
    Worker,
    /// The payment-gateway simulator.
    Gateway,
    /// Brings the database's schema up to date.
    Migrate,
    /// Adds tenants, users, products and orders.
    Seed(SeedArgs),
    /// Prints the OpenAPI description.
    Openapi,
    /// Checks the configuration of a role, and tells every mistake.
    CheckConfig {
        /// Which role.
        #[arg(default_value = "serve")]
        role: CheckedRole,
    },
    /// Asks the process at the management address whether it is ready; for health checks of containers.
    CheckHealth,
}

impl Cli {
    /// Does what the command line says. A failure is told on the standard error, whatever the log level.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Nothing can be done if even this fails.
                let _ = writeln!(io::stderr(), "glasshouse: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    fn try_run(self) -> anyhow::Result<()> {
        match self.command.unwrap_or(Command::Demo) {
            Command::Demo => keep_running(Role::Demo, commands::demo::run),
            Command::Serve => keep_running(Role::Serve, commands::serve::run),
            Command::Worker => keep_running(Role::Worker, commands::serve::run),
            Command::Gateway => keep_running(Role::Gateway, commands::serve::run),
            Command::Migrate => run_once(commands::migrate::run()),
            Command::Seed(args) => run_once(commands::seed::run(args)),
            Command::CheckHealth => run_once(commands::check_health::run()),
            Command::Openapi => commands::openapi::print(),
            Command::CheckConfig { role } => commands::check_config::run(role),
        }
    }
}

/// Runs a role until the process is told to stop.
fn keep_running<F: Future<Output = anyhow::Result<()>>>(
    role: Role,
    run: impl FnOnce(Config) -> F,
) -> anyhow::Result<()> {
    let (telemetry, config) = Config::from_environment(role, io::stdout().is_terminal())?;
    observed(&telemetry, async { run(config).await })
}

/// Runs a task that ends by itself.
fn run_once(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let telemetry = read_telemetry(None, &mut env, io::stdout().is_terminal());
    observed(&env.finish(telemetry)?, task)
}

/// Runs a task under telemetry, and sends what is left of it at the end, be that a panic.
fn observed(
    settings: &TelemetrySettings,
    task: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    // The servers bring threads of their own for requests; these are for everything else.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The exporters speak gRPC on this runtime.
    let telemetry = runtime.block_on(async { Telemetry::start(settings) })?;
    let result = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(task)));
    telemetry.shut_down();
    result.unwrap_or_else(|panic| panic::resume_unwind(panic))
}
