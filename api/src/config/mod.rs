//! Configuration: environment variables, read once and checked together before anything starts.
//!
//! A `*Config` is the whole configuration of one kind of process. It is made of `*Settings`, one for each
//! concern. `.env.example` lists every variable with its default; a test compares it with this module.

mod attempts;
mod auth;
mod console;
mod http;
mod process;
mod storage;
mod telemetry;
mod tls;
mod trusted_proxies;
mod worker;

pub use auth::{AuthSettings, read_hashing};
pub use console::ConsoleSettings;
pub use http::{BodyLimits, HttpSettings, Limits};
pub use process::{
    InvalidListenAddress, ListenAddress, ProcessSettings, ShutdownSettings, read_management_address,
};
pub use storage::{StorageSettings, read_migration_address, read_service_role};
pub use telemetry::read as read_telemetry;
pub use trusted_proxies::{InvalidProxies, TrustedProxies};
pub use worker::{WorkerSettings, read_outbox_retention};

use std::net::SocketAddr;
use std::path::PathBuf;

use glasshouse_infra::redis::RedisSettings;
use glasshouse_telemetry::TelemetrySettings;

use crate::demo::DemoSettings;
use crate::environment::{ConfigErrors, Reader, environment};
use crate::third_parties::ThirdPartySettings;

/// The kinds of long-running processes, one for each command that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ProcessKind {
    /// API, worker and payment-gateway simulator in one process; see `glasshouse demo`.
    Demo,
    /// The API; see `glasshouse serve`.
    Serve,
    /// The outbox relay and the payment reconciler; see `glasshouse worker`.
    Worker,
    /// The payment-gateway simulator; see `glasshouse gateway`.
    Gateway,
}

/// The configuration of one process: exactly what its kind needs.
#[derive(Clone, Debug)]
pub enum Config {
    /// The configuration of [`ProcessKind::Demo`].
    Demo(Box<DemoConfig>),
    /// The configuration of [`ProcessKind::Serve`].
    Serve(Box<ServeConfig>),
    /// The configuration of [`ProcessKind::Worker`].
    Worker(Box<WorkerConfig>),
    /// The configuration of [`ProcessKind::Gateway`].
    Gateway(Box<GatewayConfig>),
}

/// Everything in one process, on embedded parts where no external ones are configured.
#[derive(Clone, Debug)]
pub struct DemoConfig {
    /// What every process has.
    pub process: ProcessSettings,
    /// The public HTTP server.
    pub http: HttpSettings,
    /// Access tokens and password hashes.
    pub auth: AuthSettings,
    /// Background work.
    pub worker: WorkerSettings,
    /// The directory of the demo's own SQLite database; `None` if `DATABASE_URL` names another database.
    pub data_directory: Option<PathBuf>,
    /// The database.
    pub storage: StorageSettings,
    /// Redis; `None` keeps the cache and the rate limiter in this process.
    pub redis: Option<RedisSettings>,
    /// The address on which the payment-gateway simulator listens.
    pub simulator_address: SocketAddr,
    /// The third parties that it calls.
    pub third_parties: ThirdPartySettings,
    /// The demo's own part, which the command fills in.
    pub demo: DemoSettings,
}

/// The API.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// What every process has.
    pub process: ProcessSettings,
    /// The public HTTP server.
    pub http: HttpSettings,
    /// Access tokens and password hashes.
    pub auth: AuthSettings,
    /// The database.
    pub storage: StorageSettings,
    /// Redis, for the cache and the rate limiter.
    pub redis: RedisSettings,
    /// The third parties that it calls.
    pub third_parties: ThirdPartySettings,
}

/// The outbox relay and the payment reconciler. They use neither the cache nor the rate limiter, so a worker
/// does not depend on Redis.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// What every process has.
    pub process: ProcessSettings,
    /// Background work.
    pub worker: WorkerSettings,
    /// The database.
    pub storage: StorageSettings,
    /// The third parties that it calls.
    pub third_parties: ThirdPartySettings,
}

/// The payment-gateway simulator.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// What every process has.
    pub process: ProcessSettings,
    /// The address on which the simulator listens.
    pub simulator_address: SocketAddr,
}

impl Config {
    /// Reads the configuration of a process. `variable` looks up an environment variable.
    ///
    /// # Errors
    /// When variables are missing or wrong. The error lists all of them, each with a valid form.
    pub fn load(kind: ProcessKind, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut env = Reader::new(variable);
        let config = Self::read(kind, &mut env);
        env.finish(config)
    }

    /// Reads the configuration of a process and of its telemetry from the environment.
    ///
    /// # Errors
    /// As [`Config::load`]. A mistake in the telemetry settings does not hide the others.
    pub fn from_environment(
        kind: ProcessKind,
        on_terminal: bool,
    ) -> Result<(TelemetrySettings, Self), ConfigErrors> {
        let mut env = Reader::new(environment);
        let mut telemetry = telemetry::read(Some(kind), &mut env, on_terminal);
        let config = Self::read(kind, &mut env);
        let console = config.as_ref().and_then(|config| config.process().console.as_ref());
        telemetry.signals.recent = console.map(|console| console.recent.clone());
        env.finish(config.map(|config| (telemetry, config)))
    }

    /// What every process has.
    #[must_use]
    pub const fn process(&self) -> &ProcessSettings {
        match self {
            Self::Demo(config) => &config.process,
            Self::Serve(config) => &config.process,
            Self::Worker(config) => &config.process,
            Self::Gateway(config) => &config.process,
        }
    }

    /// Reads the configuration of a process. `env` collects the errors; `None` if there is one.
    pub fn read(kind: ProcessKind, env: &mut Reader) -> Option<Self> {
        match kind {
            ProcessKind::Demo => DemoConfig::read(env).map(Box::new).map(Self::Demo),
            ProcessKind::Serve => ServeConfig::read(env).map(Box::new).map(Self::Serve),
            ProcessKind::Worker => WorkerConfig::read(env).map(Box::new).map(Self::Worker),
            ProcessKind::Gateway => Some(Self::Gateway(Box::new(GatewayConfig::read(env)))),
        }
    }
}

// Each `read` reads all of its sections before the first `?`, so that every error is collected.

impl DemoConfig {
    fn read(env: &mut Reader) -> Option<Self> {
        let data_directory = storage::read_data_directory(env);
        let process = ProcessSettings::read_for_demo(env);
        let http = HttpSettings::read(env);
        let auth = AuthSettings::read_for_demo(env);
        let mut worker = WorkerSettings::read(env);
        worker.mail_folder = worker.mail_folder.or_else(|| Some(data_directory.as_ref()?.join("mail")));
        let storage = StorageSettings::read_for_demo(data_directory.as_deref(), env);
        let redis = env.text("REDIS_URL").is_some().then(|| storage::read_redis(env)).flatten();
        let simulator_address = read_simulator_address(env);
        let third_parties = ThirdPartySettings::read_for_demo(env);
        let (auth, storage) = (auth?, storage?);
        Some(Self {
            process,
            http,
            auth,
            worker,
            data_directory,
            storage,
            redis,
            simulator_address,
            third_parties,
            demo: DemoSettings::default(),
        })
    }
}

impl ServeConfig {
    fn read(env: &mut Reader) -> Option<Self> {
        let (process, http) = (ProcessSettings::read(env), HttpSettings::read(env));
        let auth = AuthSettings::read(env);
        let storage = StorageSettings::read(env);
        let redis = storage::read_redis(env);
        let third_parties = ThirdPartySettings::read(env);
        let (auth, storage, redis, third_parties) = (auth?, storage?, redis?, third_parties?);
        Some(Self { process, http, auth, storage, redis, third_parties })
    }
}

impl WorkerConfig {
    fn read(env: &mut Reader) -> Option<Self> {
        let (process, worker) = (ProcessSettings::read(env), WorkerSettings::read(env));
        let storage = StorageSettings::read(env);
        let third_parties = ThirdPartySettings::read(env);
        let (storage, third_parties) = (storage?, third_parties?);
        Some(Self { process, worker, storage, third_parties })
    }
}

impl GatewayConfig {
    fn read(env: &mut Reader) -> Self {
        let simulator_address = read_simulator_address(env);
        Self { process: ProcessSettings::read(env), simulator_address }
    }
}

/// Reads the address on which the payment-gateway simulator listens.
fn read_simulator_address(env: &mut Reader) -> SocketAddr {
    env.or("GLASSHOUSE_GATEWAY_ADDR", SocketAddr::from(([127, 0, 0, 1], 8090)))
}
