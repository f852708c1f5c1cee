//! Configuration: environment variables, read once, checked all together before anything starts.
//!
//! `.env.example` lists every variable with its default; a test keeps the two in step.

mod concerns;
mod reader;
mod telemetry;

pub use concerns::{
    ApiConfig, AuthConfig, Limits, PaymentGatewayConfig, ShutdownConfig, StorageConfig, WorkerConfig,
};
pub use reader::{ConfigErrors, Reader};
pub use telemetry::read as read_telemetry;

use std::net::SocketAddr;

use glasshouse_telemetry::TelemetrySettings;
use glasshouse_telemetry::metrics::MetricsSettings;

/// What a process does. Each role needs its own part of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything in one process, on embedded parts where no others are configured.
    Demo,
    /// The API.
    Serve,
    /// The outbox relay and the payment reconciler.
    Worker,
    /// The payment-gateway simulator.
    Gateway,
}

impl Role {
    const fn has_api(self) -> bool {
        matches!(self, Self::Demo | Self::Serve)
    }

    const fn has_worker(self) -> bool {
        matches!(self, Self::Demo | Self::Worker)
    }

    const fn has_gateway(self) -> bool {
        matches!(self, Self::Demo | Self::Gateway)
    }
}

/// The configuration of one process.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the management listener listens.
    pub management_addr: SocketAddr,
    /// What the metrics have to be told.
    pub metrics: MetricsSettings,
    /// Whether faults may be injected into this process.
    pub faults_are_enabled: bool,
    /// How to stop.
    pub shutdown: ShutdownConfig,
    /// The API, if this process serves it.
    pub api: Option<ApiConfig>,
    /// The worker, if this process runs it.
    pub worker: Option<WorkerConfig>,
    /// Where the payment-gateway simulator listens, if this process runs it.
    pub gateway_addr: Option<SocketAddr>,
    /// The payment gateway as its client sees it, if this process calls it.
    pub payment_gateway: Option<PaymentGatewayConfig>,
    /// The database and Redis, if this process needs them.
    pub storage: Option<StorageConfig>,
}

impl Config {
    /// Reads the configuration of a role. `variable` looks an environment variable up.
    ///
    /// # Errors
    /// When a variable is missing or wrong: all of them, with what would be right.
    pub fn load(role: Role, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut env = Reader::new(variable);
        let config = Self::read(role, &mut env);
        env.finish(config)
    }

    /// Reads all that a process of this role is told by its environment.
    ///
    /// # Errors
    /// As [`Config::load`] does; a mistake in the settings of the log does not hide the others.
    pub fn from_environment(
        role: Role,
        on_terminal: bool,
    ) -> Result<(TelemetrySettings, Self), ConfigErrors> {
        let mut env = Reader::new(environment);
        let config = (telemetry::read(Some(role), &mut env, on_terminal), Self::read(role, &mut env));
        env.finish(config)
    }

    /// Reads the configuration of a role; errors are collected by `env`.
    pub fn read(role: Role, env: &mut Reader) -> Self {
        let uses_gateway = role.has_api() || role.has_worker();
        Self {
            management_addr: env.or("GLASSHOUSE_MANAGEMENT_ADDR", SocketAddr::from(([127, 0, 0, 1], 9000))),
            metrics: telemetry::read_metrics(env),
            faults_are_enabled: env.or("GLASSHOUSE_FAULTS_ENABLED", false),
            shutdown: ShutdownConfig::read(env),
            api: role.has_api().then(|| ApiConfig::read(role, env)),
            worker: role.has_worker().then(|| WorkerConfig::read(env)),
            gateway_addr: role
                .has_gateway()
                .then(|| env.or("GLASSHOUSE_GATEWAY_ADDR", SocketAddr::from(([127, 0, 0, 1], 8090)))),
            payment_gateway: uses_gateway.then(|| PaymentGatewayConfig::read(role, env)),
            storage: uses_gateway.then(|| StorageConfig::read(role, env)),
        }
    }
}

/// Looks an environment variable up. One that is no Unicode counts as absent.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
