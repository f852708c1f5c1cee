//! The demo as the system under test: one process on a SQLite file, and the gateway, whose ledger outlives it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use glasshouse_drill::stack::PortAllocator;
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use tempfile::TempDir;

use super::disk::Disk;
use super::replica::{Replica, Role};
use super::{Ledger, command};
use crate::books::Audited;

/// More than the demo writes in a run.
const DISK_MEGABYTES: u32 = 192;

/// The running demo. Dropping it kills its processes and removes their files.
pub(crate) struct Demo {
    pub(crate) replica: Replica,
    gateway: Replica,
    /// The disk of its data.
    pub(crate) disk: Disk,
    binary: PathBuf,
    folder: TempDir,
    /// Reserves the addresses, also while a process is down.
    _ports: PortAllocator,
}

impl Demo {
    /// Starts the demo and the gateway, and waits until they are ready.
    pub(crate) async fn start(binary: &Path) -> Result<Self> {
        let binary = binary.canonicalize()?;
        let folder = tempfile::Builder::new().prefix("glasshouse-chaos.").tempdir()?;
        let mut ports = PortAllocator::default();
        let disk = Disk::create(folder.path().join("data"), DISK_MEGABYTES)?;

        let gateway_address = ports.allocate()?;
        let mut gateway = command("gateway", &binary, folder.path());
        gateway.environment.insert("GLASSHOUSE_GATEWAY_ADDR", gateway_address.to_string());
        let gateway = Replica::server(Role::Gateway, gateway, ports.allocate()?).await?;

        let mut demo = command("demo", &binary, folder.path());
        let environment = &mut demo.environment;
        environment.insert("GLASSHOUSE_DATA_DIR", disk.path().display().to_string());
        environment.insert("GLASSHOUSE_HTTP_ADDR", ports.allocate()?.to_string());
        environment.insert("GLASSHOUSE_PAYMENT_GATEWAY_URL", format!("http://{gateway_address}"));
        // What is broken here is what the other systems have.
        environment.insert("GLASSHOUSE_CONSOLE", "false".to_owned());
        // Its own simulator, which is not used.
        environment.insert("GLASSHOUSE_GATEWAY_ADDR", ports.allocate()?.to_string());
        let replica = Replica::server(Role::Demo, demo, ports.allocate()?).await?;
        Ok(Self { replica, gateway, disk, binary, folder, _ports: ports })
    }

    /// The public address.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        self.replica.http().context("the demo has no address")
    }

    /// The ledger of the payment gateway.
    pub(crate) fn ledger(&self) -> Result<Ledger> {
        Ok(Ledger::new(self.gateway.gateway().context("the gateway has no address")?))
    }

    /// The folder of the system, for files that end with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn database_url(&self) -> String {
        format!("sqlite://{}", self.disk.path().join("glasshouse.sqlite3").display())
    }
}

impl Audited for Demo {
    /// SQLite has no row-level security.
    const CHECKS_NOT_MADE: usize = 3;

    async fn connect(&self) -> Result<DatabaseConnection> {
        let mut options = ConnectOptions::new(self.database_url());
        options.max_connections(1).sqlx_logging(false);
        Ok(Database::connect(options).await?)
    }

    fn audit_command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("audit").env_clear().env("RUST_LOG", "error").env("DATABASE_URL", self.database_url());
        command
    }
}
