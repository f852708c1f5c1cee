//! The system under test: two APIs, two workers, one gateway, Postgres and Redis, each a process of its own.

mod balancer;
mod clients;
mod clock;
mod demo;
mod disk;
mod monitoring;
mod pooler;
mod postgres;
mod redis;
mod replica;
mod schema;
mod scrape;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::join_all;
use glasshouse_drill::project::Project;
use glasshouse_drill::stack::{PortAllocator, ProcessSpec};
use glasshouse_migrations::REQUIRED_MIGRATION;
use sea_orm::DatabaseConnection;
use tempfile::TempDir;

use balancer::Balancer;
pub(crate) use clients::{Api, Ledger};
use clock::Clock;
pub(crate) use demo::Demo;
use monitoring::{Monitoring, Tracing};
use pooler::Pooler;
pub(crate) use pooler::pool_mode;
pub(crate) use postgres::{Postgres, SERVICE};
pub(crate) use redis::Redis;
pub(crate) use replica::{Replica, Role};
pub(crate) use scrape::Scrape;

use crate::books::Audited;

/// The running system. Dropping it kills all processes and removes their files.
pub(crate) struct System {
    pub(crate) replicas: Vec<Replica>,
    pub(crate) redis: Redis,
    pub(crate) postgres: Postgres,
    pub(crate) ports: PortAllocator,
    pub(crate) monitoring: Monitoring,
    balancer: Option<Balancer>,
    pooler: Option<Pooler>,
    gateway: Replica,
    binary: PathBuf,
    old_binary: Option<PathBuf>,
    folder: TempDir,
}

/// What all processes of the service are given.
const SETTINGS: &[(&str, &str)] = &[
    ("GLASSHOUSE_LOG_FORMAT", "json"),
    ("RUST_LOG", "info"),
    ("GLASSHOUSE_ARGON2_MEMORY_KIB", "64"),
    ("GLASSHOUSE_ARGON2_PASSES", "1"),
    ("GLASSHOUSE_TOKEN_SECONDS", "86400"),
    ("GLASSHOUSE_RATE_LIMIT_FREE", "100000/100000"),
    ("JWT_SECRET", "the secret of a run that lasts minutes"),
    // Short enough that recovery shows within seconds.
    ("DATABASE_ACQUIRE_TIMEOUT_MS", "1000"),
    // With the margin of a second that the service adds, shorter than a fault: a server that stands still fails requests.
    ("DATABASE_STATEMENT_TIMEOUT_MS", "1500"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "500"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_PAUSE_MS", "1000"),
    ("GLASSHOUSE_RECONCILE_AFTER_SECONDS", "1"),
    ("GLASSHOUSE_RECONCILE_LEASE_SECONDS", "2"),
    ("GLASSHOUSE_RECONCILE_POLL_MS", "250"),
    ("GLASSHOUSE_OUTBOX_LEASE_SECONDS", "2"),
    ("GLASSHOUSE_OUTBOX_POLL_MS", "250"),
    // No message is given up because its worker was killed again and again.
    ("GLASSHOUSE_OUTBOX_MAX_ATTEMPTS", "1000"),
];

const MIGRATION_TIMEOUT: Duration = Duration::from_secs(60);

/// The versions of the service.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    /// This version.
    pub(crate) new: PathBuf,
    /// The previous version, if the system begins with it.
    pub(crate) old: Option<PathBuf>,
}

/// A version of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Old,
    New,
}

impl System {
    /// Starts all processes, and waits until they are ready: this version on the oldest schema that it accepts, or the previous
    /// version on its own. Prometheus has the rules of the project.
    pub(crate) async fn start(binaries: &Binaries, project: &Project) -> Result<Self> {
        let binary = existing(&binaries.new)?;
        let old_binary = binaries.old.as_deref().map(existing).transpose()?;
        let first_binary = old_binary.as_ref().unwrap_or(&binary).clone();
        let folder = tempfile::Builder::new().prefix("glasshouse-chaos.").tempdir()?;
        let mut ports = PortAllocator::default();
        let postgres = Postgres::start(folder.path(), &mut ports).await?;
        let redis = Redis::start(folder.path(), ports.allocate()?).await?;
        let tracing = Tracing::start(&mut ports)?;

        let command = |name| {
            let mut spec = command(name, &first_binary, folder.path());
            spec.environment.insert("OTEL_EXPORTER_OTLP_ENDPOINT", tracing.endpoint());
            spec
        };
        match &old_binary {
            Some(old) => migrate(&postgres, old, &[]).await?,
            None => migrate(&postgres, &binary, &["--to", REQUIRED_MIGRATION]).await?,
        }

        let gateway_address = ports.allocate()?;
        let mut gateway = command("gateway");
        gateway.environment.insert("GLASSHOUSE_GATEWAY_ADDR", gateway_address.to_string());
        let gateway = Replica::server(Role::Gateway, gateway, ports.allocate()?).await?;

        let servers =
            replica::Servers { postgres: &postgres, redis: redis.address(), gateway: gateway_address };
        let mut replicas = Vec::new();
        for (role, number) in [(Role::Api, 1), (Role::Api, 2), (Role::Worker, 1), (Role::Worker, 2)] {
            let mut spec = command(role.command());
            let clock = match number {
                1 => Clock::give(folder.path(), role.command(), &mut spec)?,
                _ => None,
            };
            replicas.push(Replica::start(role, number, spec, clock, &servers, &mut ports).await?);
        }
        let apis: Vec<_> = replicas.iter().filter_map(Replica::http).collect();
        let balancer = Balancer::start(folder.path(), ports.allocate()?, &apis).await?;
        let processes = replicas.iter().chain([&gateway]);
        let monitoring = Monitoring::start(folder.path(), project, tracing, processes, &mut ports).await?;
        let pooler = None;
        Ok(Self {
            replicas,
            redis,
            postgres,
            ports,
            monitoring,
            balancer,
            pooler,
            gateway,
            binary,
            old_binary,
            folder,
        })
    }

    /// All processes of the service, the gateway included.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().chain([&self.gateway])
    }

    /// Whether the service connects to Postgres through a pooler.
    pub(crate) const fn is_pooled(&self) -> bool {
        self.pooler.is_some()
    }

    /// The replicas with a role.
    pub(crate) fn with_role(&self, role: Role) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().filter(move |replica| replica.role() == role)
    }

    /// Whether the first process of each role has a clock that can jump.
    pub(crate) fn clocks_can_jump(&self) -> bool {
        [Role::Api, Role::Worker].iter().all(|role| self.with_role(*role).any(|it| it.clock().is_some()))
    }

    /// The public addresses of the APIs.
    pub(crate) fn api_addresses(&self) -> Vec<SocketAddr> {
        self.with_role(Role::Api).filter_map(Replica::http).collect()
    }

    /// The address of the load balancer, if it is installed.
    pub(crate) fn balancer_address(&self) -> Option<SocketAddr> {
        self.balancer.as_ref().map(Balancer::address)
    }

    /// The ledger of the payment gateway.
    pub(crate) fn ledger(&self) -> Result<Ledger> {
        Ok(Ledger::new(self.gateway.gateway().context("the gateway has no address")?))
    }

    /// The folder of the system, for files that end with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lets all processes run this version from their next start on.
    ///
    /// # Errors
    /// There is no binary of the previous version.
    pub(crate) fn install(&mut self, version: Version) -> Result<()> {
        let binary = match version {
            Version::New => &self.binary,
            Version::Old => self.old_binary.as_ref().context("there is no binary of the previous version")?,
        };
        self.replicas.iter_mut().for_each(|replica| replica.install(binary));
        Ok(())
    }

    /// Restarts every process of the service that does not run.
    ///
    /// # Errors
    /// A process does not become ready.
    pub(crate) async fn restart_stopped(&mut self) -> Result<()> {
        for replica in &mut self.replicas {
            if !replica.is_running()? {
                replica.restart().await?;
            }
        }
        Ok(())
    }

    /// Waits until all processes are ready.
    ///
    /// # Errors
    /// A process has exited, or does not become ready within the timeout.
    pub(crate) async fn wait_until_ready(&mut self, timeout: Duration) -> Result<()> {
        let waits = self.replicas.iter_mut().map(|replica| replica.wait_until_ready(timeout));
        join_all(waits).await.into_iter().collect()
    }
}

fn existing(binary: &Path) -> Result<PathBuf> {
    binary
        .canonicalize()
        .with_context(|| format!("{} does not exist: run `cargo build --workspace --bins`", binary.display()))
}

/// Applies migrations with a binary of the service.
async fn migrate(postgres: &Postgres, binary: &Path, arguments: &[&str]) -> Result<()> {
    let spec = ProcessSpec::new("migrate", binary).argument("migrate");
    let mut spec = arguments.iter().fold(spec, |spec, argument| spec.argument(argument));
    spec.environment.insert("DATABASE_MIGRATION_URL", postgres.owner_url());
    spec.run(MIGRATION_TIMEOUT).await.map(drop)
}

impl Audited for System {
    const CHECKS_NOT_MADE: usize = 0;

    async fn connect(&self) -> Result<DatabaseConnection> {
        self.postgres.superuser().await
    }

    fn audit_command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("audit").env_clear().env("RUST_LOG", "error");
        command.env("DATABASE_MIGRATION_URL", self.postgres.owner_url());
        command.env("DATABASE_URL", self.postgres.service_url());
        command
    }
}

/// A command of the binary, with the settings of all processes.
fn command(name: &'static str, binary: &Path, folder: &Path) -> ProcessSpec {
    let mut spec = ProcessSpec::new(name, binary).argument(name);
    spec.environment.extend(SETTINGS.iter().map(|(name, value)| (*name, (*value).to_owned())));
    spec.environment.insert("TMPDIR", folder.display().to_string());
    spec
}
