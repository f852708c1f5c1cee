//! The command line.

use std::io::{self, IsTerminal, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use glasshouse_telemetry::{Telemetry, TelemetrySettings};

use crate::commands;
use crate::commands::dead_letters::DeadLettersCommand;
use crate::commands::seed::SeedArgs;
use crate::commands::set_plan::SetPlanArgs;
use crate::commands::telemetry_contract::ContractArgs;
use crate::config::{Config, ProcessKind, read_telemetry};
use crate::environment::{Reader, environment};

/// A multi-tenant SaaS backend, instrumented end to end.
///
/// Settings are environment variables: see .env.example.
#[derive(Debug, Parser)]
#[command(name = "glasshouse", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run API, worker and payment-gateway simulator in one process, on SQLite (the default).
    Demo,
    /// Run the API; needs Postgres, Redis and a payment gateway.
    Serve,
    /// Run the outbox relay and the payment reconciler; needs Postgres and a payment gateway.
    Worker,
    /// Run the payment-gateway simulator.
    Gateway,
    /// Apply the pending database migrations.
    Migrate,
    /// Add tenants, users, products and orders.
    Seed(SeedArgs),
    /// Give a tenant another plan: sign-up yields `free`.
    SetPlan(SetPlanArgs),
    /// List or requeue the outbox messages whose delivery was given up.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Print the OpenAPI document.
    Openapi,
    /// Print every metric and every event of the service, as JSON.
    TelemetryContract(ContractArgs),
    /// Validate the configuration of a command, and print every error.
    CheckConfig {
        /// The command whose configuration to validate.
        #[arg(default_value = "serve")]
        command: ProcessKind,
    },
    /// Exit with 0 if the process at GLASSHOUSE_MANAGEMENT_ADDR is ready; for container health checks.
    CheckHealth,
}

impl Cli {
    /// Runs the command. An error is printed on standard error, whatever the log level.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // If even this fails, there is no channel left to report on.
                let _ = writeln!(io::stderr(), "glasshouse: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    fn try_run(self) -> anyhow::Result<()> {
        match self.command.unwrap_or(Command::Demo) {
            Command::Demo => keep_running(ProcessKind::Demo),
            Command::Serve => keep_running(ProcessKind::Serve),
            Command::Worker => keep_running(ProcessKind::Worker),
            Command::Gateway => keep_running(ProcessKind::Gateway),
            Command::Migrate => run_once(commands::migrate::run()),
            Command::Seed(args) => run_once(commands::seed::run(args)),
            Command::SetPlan(args) => run_once(commands::set_plan::run(args)),
            Command::DeadLetters(command) => run_once(commands::dead_letters::run(command)),
            Command::CheckHealth => run_once(commands::check_health::run()),
            Command::Openapi => commands::openapi::print(),
            Command::TelemetryContract(args) => commands::telemetry_contract::print(&args),
            Command::CheckConfig { command } => commands::check_config::run(command),
        }
    }
}

/// Runs a long-running process until it receives a signal to stop.
fn keep_running(kind: ProcessKind) -> anyhow::Result<()> {
    let (telemetry, config) = Config::from_environment(kind, io::stdout().is_terminal())?;
    observed(&telemetry, async {
        match config {
            Config::Demo(config) => commands::demo::run(config).await,
            config => commands::serve::run(config).await,
        }
    })
}

/// Runs a task to completion.
fn run_once(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let telemetry = read_telemetry(None, &mut env, io::stdout().is_terminal());
    observed(&env.finish(Some(telemetry))?, task)
}

/// Runs a task with telemetry, and flushes telemetry at the end, even after a panic.
fn observed(
    settings: &TelemetrySettings,
    task: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    // The HTTP servers start their own threads for requests; this runtime runs everything else.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The OTLP exporters need a runtime when they are created.
    let telemetry = runtime.block_on(async { Telemetry::start(settings) })?;
    let result = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(task)));
    telemetry.shut_down();
    result.unwrap_or_else(|panic| panic::resume_unwind(panic))
}
