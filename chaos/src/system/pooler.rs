//! A connection pooler between the service and Postgres: PgBouncer, if it is installed.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use glasshouse_drill::polling::poll_until;
use glasshouse_drill::stack::{Child, Output, ProcessSpec};
use rustix::process::Signal;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Postgres, SERVICE, System};

/// A PgBouncer that can be killed, paused and restarted.
pub(crate) struct Pooler {
    address: SocketAddr,
    mode: PoolMode,
    spec: ProcessSpec,
    child: Child,
    output: Output,
}

const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a free connection of the pool is waited for.
const FREE_CONNECTION_TIMEOUT: Duration = Duration::from_millis(500);

impl Pooler {
    /// Starts it in front of Postgres.
    async fn start(folder: &Path, address: SocketAddr, postgres: &Postgres) -> Result<Self> {
        let installed = installed().context("PgBouncer is not installed")?;
        let path = folder.join("pgbouncer.ini");
        let users = folder.join("pgbouncer-users.txt");
        let server = postgres.address();
        let mode = installed.pool_mode();
        let (name, pool_size) = (mode.name(), mode.pool_size());
        let settings = format!(
            "[databases]\n* = host={} port={}\n\
             [pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = {name}\ndefault_pool_size = {pool_size}\n\
             server_login_retry = 1\n",
            server.ip(),
            server.port(),
            address.ip(),
            address.port(),
            users.display(),
        );
        fs::write(&path, settings)?;
        fs::write(&users, format!("\"{SERVICE}\" \"\"\n"))?;
        let mut spec = installed.spec.argument(&path);
        if rustix::process::geteuid().is_root() {
            // It refuses to run as root.
            spec = spec.argument("-u").argument("nobody");
        }
        let output = Output::default();
        let child = spec.spawn(output.clone())?;
        let pooler = Self { address, mode, spec, child, output };
        pooler.wait_until_ready().await?;
        Ok(pooler)
    }

    /// Whether transactions of several clients share a connection to the server.
    pub(crate) fn shares_connections(&self) -> bool {
        self.mode == PoolMode::Transaction
    }

    /// Sends a signal: `HUP` reads the configuration again, `USR1` lets transactions end and then holds all others, `USR2`
    /// continues.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.child.signal(signal)
    }

    /// Starts it again after it was killed.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.child.wait(TIMEOUT).await?;
        self.child = self.spec.spawn(self.output.clone())?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let listens = async || Ok(TcpStream::connect(self.address).await.ok());
        let listens = poll_until(TIMEOUT, listens).await?;
        listens.with_context(|| format!("PgBouncer does not start:\n{}", self.output.tail(20))).map(drop)
    }

    /// Transactions that use up the connections of the service's pool, until they are dropped.
    pub(crate) async fn use_up_connections(&self, postgres: &Postgres) -> Result<Vec<DatabaseConnection>> {
        let (url, mut held) = (postgres.service_url_at(self.address), Vec::new());
        for _ in 0..self.mode.pool_size() {
            let transaction = async {
                let connection = glasshouse_migrations::connect(&url).await?;
                connection.execute_unprepared("BEGIN").await?;
                anyhow::Ok(connection)
            };
            match timeout(FREE_CONNECTION_TIMEOUT, transaction).await {
                Ok(connection) => held.push(connection?),
                Err(_) => break,
            }
        }
        Ok(held)
    }
}

/// An installed PgBouncer.
struct Installed {
    spec: ProcessSpec,
    minor_version: u32,
}

/// What clients share connections to the server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolMode {
    Transaction,
    Session,
}

impl PoolMode {
    const fn name(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Session => "session",
        }
    }

    /// The connections of a pool to the server: fewer than the service opens, if transactions can share them.
    const fn pool_size(self) -> u32 {
        match self {
            Self::Transaction => 16,
            Self::Session => 48,
        }
    }
}

impl Installed {
    /// Since version 1.21, a transaction finds its prepared statements on whatever connection it gets.
    const fn pool_mode(&self) -> PoolMode {
        if self.minor_version >= 21 { PoolMode::Transaction } else { PoolMode::Session }
    }
}

/// Debian installs it where only root finds it.
fn installed() -> Option<Installed> {
    let spec = ProcessSpec::installed("pgbouncer", &["pgbouncer", "../sbin/pgbouncer"]).ok()?;
    let output = Command::new(&spec.program).arg("--version").output().ok()?;
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = output.lines().next()?.strip_prefix("PgBouncer 1.")?;
    let minor_version = version.split('.').next()?.parse().ok()?;
    Some(Installed { spec, minor_version })
}

/// How an installed PgBouncer pools connections; `None` if there is none.
pub(crate) fn pool_mode() -> Option<PoolMode> {
    installed().map(|installed| installed.pool_mode())
}

impl System {
    /// Starts a pooler, through which the service connects from then on.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub(crate) async fn insert_pooler(&mut self) -> Result<()> {
        let address = self.ports.allocate()?;
        self.pooler = Some(Pooler::start(self.folder.path(), address, &self.postgres).await?);
        self.connect_service_to(address)
    }

    /// Lets the service connect to Postgres directly again, and ends the pooler.
    ///
    /// # Errors
    /// A process has no proxies.
    pub(crate) fn remove_pooler(&mut self) -> Result<()> {
        self.connect_service_to(self.postgres.address())?;
        self.pooler = None;
        Ok(())
    }

    /// The pooler and the server behind it.
    ///
    /// # Errors
    /// There is no pooler.
    pub(crate) fn pooler(&mut self) -> Result<(&mut Pooler, &mut Postgres)> {
        Ok((self.pooler.as_mut().context("there is no pooler")?, &mut self.postgres))
    }

    fn connect_service_to(&self, address: SocketAddr) -> Result<()> {
        for replica in &self.replicas {
            replica.links()?.postgres.retarget(address);
        }
        Ok(())
    }
}
