//! The command line.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use glasshouse_infra::logs;
use tracing_subscriber::EnvFilter;

use crate::config::{ConfigErrors, LogConfig, Reader};
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
        let command = self.command.unwrap_or(Command::Demo);
        match command {
            Command::Openapi => return roles::openapi::print(),
            Command::CheckConfig { role } => return roles::check_config::run(role),
            _ => start_logs()?,
        }
        // The servers bring threads of their own for requests; these are for everything else.
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match command {
                Command::Demo => roles::demo::run().await,
                Command::Serve => roles::serve::run(crate::config::Role::Serve).await,
                Command::Worker => roles::serve::run(crate::config::Role::Worker).await,
                Command::Gateway => roles::serve::run(crate::config::Role::Gateway).await,
                Command::Migrate => roles::migrate::run().await,
                Command::Seed(args) => roles::seed::run(args).await,
                Command::CheckHealth => roles::check_health::run().await,
                Command::Openapi | Command::CheckConfig { .. } => Ok(()),
            }
        })
    }
}

fn start_logs() -> anyhow::Result<()> {
    let mut env = Reader::new(crate::config::environment);
    let config = LogConfig::read(&mut env, io::stdout().is_terminal());
    let config: Result<LogConfig, ConfigErrors> = env.finish(config);
    let config = config?;
    logs::init(config.format, EnvFilter::from_str(&config.filter)?)?;
    Ok(())
}
