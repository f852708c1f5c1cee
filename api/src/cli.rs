//! The command line.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use glasshouse_infra::logs;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogConfig, Reader, Role, environment};
use crate::roles;

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

/// What to add.
#[derive(Clone, Copy, Debug, Args)]
pub struct SeedArgs {
    /// The two tenants of the demo, unless they exist.
    #[arg(long)]
    pub demo: bool,
    /// How many new tenants.
    #[arg(long, default_value_t = 0)]
    pub tenants: u32,
    /// How many orders in all, spread over the new tenants and the last 30 days.
    #[arg(long, default_value_t = 0)]
    pub orders: u32,
}

/// A role whose configuration can be checked.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum CheckedRole {
    /// See `glasshouse demo`.
    Demo,
    /// See `glasshouse serve`.
    Serve,
    /// See `glasshouse worker`.
    Worker,
    /// See `glasshouse gateway`.
    Gateway,
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
            Command::Demo => block_on(roles::demo::run(start(Role::Demo)?)),
            Command::Serve => block_on(roles::serve::run(start(Role::Serve)?)),
            Command::Worker => block_on(roles::serve::run(start(Role::Worker)?)),
            Command::Gateway => block_on(roles::serve::run(start(Role::Gateway)?)),
            Command::Migrate => logged(roles::migrate::run()),
            Command::Seed(args) => logged(roles::seed::run(args)),
            Command::CheckHealth => logged(roles::check_health::run()),
            Command::Openapi => roles::openapi::print(),
            Command::CheckConfig { role } => roles::check_config::run(role),
        }
    }
}

/// Reads the configuration of a role that keeps running, and starts its log.
fn start(role: Role) -> anyhow::Result<Config> {
    let (log, config) = Config::from_environment(role, io::stdout().is_terminal())?;
    start_log(&log)?;
    Ok(config)
}

/// Runs a task that ends by itself, with a log.
fn logged(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut env = Reader::new(environment);
    let log = LogConfig::read(&mut env, io::stdout().is_terminal());
    start_log(&env.finish(log)?)?;
    block_on(task)
}

fn start_log(config: &LogConfig) -> anyhow::Result<()> {
    logs::init(config.format, EnvFilter::from_str(&config.filter)?)?;
    Ok(())
}

/// The servers bring threads of their own for requests; the ones that this starts are for everything else.
fn block_on(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(task)
}
