//! The command line.

use std::io::{self, IsTerminal, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use glasshouse_telemetry::{Telemetry, TelemetrySettings};

use crate::commands;
use crate::commands::audit::{self, AuditArgs};
use crate::commands::dead_letters::DeadLettersCommand;
use crate::commands::demo::DemoArgs;
use crate::commands::migrate::MigrateArgs;
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
    Demo(DemoArgs),
    /// Run the API; needs Postgres and a payment gateway, and uses Redis.
    Serve,
    /// Run the outbox relay and the payment reconciler; needs Postgres and a payment gateway.
    Worker,
    /// Run the payment-gateway simulator.
    Gateway,
    /// Apply the pending database migrations, also while the service runs.
    Migrate(MigrateArgs),
    /// Add tenants, users, products and orders.
    Seed(SeedArgs),
    /// Give a tenant another plan: sign-up yields `free`.
    SetPlan(SetPlanArgs),
    /// List or requeue the outbox messages whose delivery was given up.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Prove that orders, payments, stock, revenue and messages agree. It reads one snapshot, and changes nothing.
    ///
    /// Exits with 0 if the books are clean, 1 if there are findings, and 2 if the audit could not be made. On Postgres it
    /// connects as the owner of the schema (DATABASE_MIGRATION_URL, or else DATABASE_URL).
    Audit(AuditArgs),
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
        let command = self.command.unwrap_or(Command::Demo(DemoArgs::default()));
        // The audit has a code of its own for findings.
        let failure = match &command {
            Command::Audit(_) => ExitCode::from(audit::NOT_MADE),
            _ => ExitCode::FAILURE,
        };
        command.run().unwrap_or_else(|error| {
            // If even this fails, there is no channel left to report on.
            let _ = writeln!(io::stderr(), "glasshouse: {error:#}");
            failure
        })
    }
}

impl Command {
    fn run(self) -> anyhow::Result<ExitCode> {
        let done = match self {
            Self::Audit(args) => return run_once(audit::run(args)),
            Self::Demo(args) => keep_running(ProcessKind::Demo, args),
            Self::Serve => keep_running(ProcessKind::Serve, DemoArgs::default()),
            Self::Worker => keep_running(ProcessKind::Worker, DemoArgs::default()),
            Self::Gateway => keep_running(ProcessKind::Gateway, DemoArgs::default()),
            Self::Migrate(args) => run_once(commands::migrate::run(args)),
            Self::Seed(args) => run_once(commands::seed::run(args)),
            Self::SetPlan(args) => run_once(commands::set_plan::run(args)),
            Self::DeadLetters(command) => run_once(commands::dead_letters::run(command)),
            Self::CheckHealth => commands::check_health::run(),
            Self::Openapi => commands::openapi::print(),
            Self::TelemetryContract(args) => commands::telemetry_contract::print(&args),
            Self::CheckConfig { command } => commands::check_config::run(command),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// Runs a long-running process until it receives a signal to stop. The arguments are those of the demo.
fn keep_running(kind: ProcessKind, args: DemoArgs) -> anyhow::Result<()> {
    let (telemetry, config) = Config::from_environment(kind, io::stdout().is_terminal())?;
    observed(&telemetry, async {
        match config {
            Config::Demo(config) => commands::demo::run(config, args).await,
            config => commands::serve::run(config).await,
        }
    })
}

/// Runs a task to completion.
fn run_once<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut env = Reader::new(environment);
    let telemetry = read_telemetry(None, &mut env, io::stdout().is_terminal());
    observed(&env.finish(Some(telemetry))?, task)
}

/// Runs a task with telemetry, and flushes telemetry at the end, even after a panic.
fn observed<T>(
    settings: &TelemetrySettings,
    task: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    // The HTTP servers start their own threads for requests; this runtime runs everything else.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The OTLP exporters need a runtime when they are created.
    let telemetry = runtime.block_on(async { Telemetry::start(settings) })?;
    let result = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(task)));
    telemetry.shut_down();
    result.unwrap_or_else(|panic| panic::resume_unwind(panic))
}
