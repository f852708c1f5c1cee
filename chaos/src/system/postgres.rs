//! The Postgres of the system: a cluster with default durability, and a synchronous standby when a fault needs one.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use glasshouse_drill::polling::poll_until;
use glasshouse_drill::stack::{Child, Output, PortAllocator, ProcessSpec, find_program, role_defaults};
use rustix::process::{Pid, Signal, kill_process};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::disk::Disk;

/// The login role of the service, which is neither owner nor superuser, and the owner of the schema.
pub(crate) const SERVICE: &str = "chaos_service";
const OWNER: &str = "chaos_owner";
const DATABASE: &str = "glasshouse";
/// The roles of a deployment.
const DEPLOYED_ROLES: &str = include_str!("../../../deploy/compose/postgres-init.sql");
/// Enough for the data of a run, and for two clusters during a fail-over.
const DISK_MEGABYTES: u32 = 512;
/// So few that a fault can use them up.
const MAX_CONNECTIONS: u32 = 80;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A Postgres server that can be killed, paused and restarted.
pub(crate) struct Postgres {
    programs: Programs,
    data: PathBuf,
    address: SocketAddr,
    child: Child,
    output: Output,
    // They end after the server.
    data_disk: Disk,
    wal_disk: Disk,
}

/// The server programs, and the user that runs them.
#[derive(Clone, Debug)]
struct Programs {
    folder: PathBuf,
    /// As root, a user that the server accepts: it refuses to run as root.
    user: Option<&'static str>,
}

const PROGRAMS: [&str; 3] = ["initdb", "postgres", "pg_basebackup"];

impl Programs {
    /// Debian keeps the server programs out of `PATH`, and what is there may be incomplete.
    fn find() -> Result<Self> {
        let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders: Vec<_> = debian.map(|entry| entry.path().join("bin")).collect();
        folders.sort();
        folders.reverse();
        folders.extend(find_program(&["initdb"]).and_then(|initdb| Some(initdb.parent()?.to_owned())));
        let is_complete = |folder: &PathBuf| PROGRAMS.iter().all(|program| folder.join(program).is_file());
        let folder = folders.into_iter().find(is_complete);
        let folder = folder.context("PostgreSQL is not installed: apt-get install postgresql")?;
        let user = rustix::process::geteuid().is_root().then_some("postgres");
        Ok(Self { folder, user })
    }

    fn spec(&self, name: &'static str) -> ProcessSpec {
        let program = self.folder.join(name);
        match self.user {
            None => ProcessSpec::new(name, program),
            Some(user) => ["--reuid", user, "--regid", user, "--init-groups"]
                .into_iter()
                .fold(ProcessSpec::new(name, "setpriv"), ProcessSpec::argument)
                .argument(program),
        }
    }
}

impl Postgres {
    /// Creates a cluster with the roles of the service and an empty database.
    pub(super) async fn start(folder: &Path, ports: &mut PortAllocator) -> Result<Self> {
        let programs = Programs::find()?;
        // The user of the server must be able to reach its files.
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        let data_disk = Disk::create(folder.join("postgres-data"), DISK_MEGABYTES)?;
        let wal_disk = Disk::create(folder.join("postgres-wal"), DISK_MEGABYTES)?;
        let data = data_disk.path().join("primary");
        let initdb = programs.spec("initdb").flag("pgdata", data.display());
        let initdb = initdb.flag("waldir", wal_disk.path().join("primary").display());
        let initdb = initdb.flag("username", "postgres").flag("auth", "trust").flag("encoding", "UTF8");
        initdb.flag("locale", "C").argument("--no-sync").run(TIMEOUT).await?;

        let address = ports.allocate()?;
        let output = Output::default();
        let child = spawn(&programs, &data, address, &output)?;
        let mut postgres = Self { programs, data, address, child, output, data_disk, wal_disk };
        postgres.wait_until_ready().await?;
        postgres.create_roles().await?;
        Ok(postgres)
    }

    async fn create_roles(&self) -> Result<()> {
        let superuser = self.connect("postgres").await?;
        for statement in [
            "CREATE ROLE glasshouse_service NOLOGIN".to_owned(),
            format!("CREATE ROLE {SERVICE} LOGIN IN ROLE glasshouse_service"),
            role_defaults(DEPLOYED_ROLES, "glasshouse_app", SERVICE),
            format!("CREATE ROLE {OWNER} LOGIN"),
            format!("CREATE DATABASE {DATABASE} OWNER {OWNER}"),
        ] {
            superuser.execute_unprepared(&statement).await?;
        }
        Ok(superuser.close().await?)
    }

    /// The disk of the tables.
    pub(crate) const fn data_disk(&self) -> &Disk {
        &self.data_disk
    }

    /// The disk of the write-ahead log.
    pub(crate) const fn wal_disk(&self) -> &Disk {
        &self.wal_disk
    }

    /// Whether its disks are its own.
    pub(crate) const fn disks_can_be_full(&self) -> bool {
        self.data_disk.can_be_full() && self.wal_disk.can_be_full()
    }

    /// The last line of its log that contains a text, with its time.
    pub(crate) fn last_logged(&self, text: &str) -> Option<String> {
        self.output.lines_with(text).pop()
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the owner of the schema.
    pub(super) fn owner_url(&self) -> String {
        format!("postgres://{OWNER}@{}/{DATABASE}", self.address)
    }

    /// The URL of the service.
    pub(super) fn service_url(&self) -> String {
        self.service_url_at(self.address)
    }

    /// The URL of the service with the address of a proxy.
    pub(super) fn service_url_at(&self, address: SocketAddr) -> String {
        format!("postgres://{SERVICE}@{address}/{DATABASE}")
    }

    /// A connection of the superuser to the database of the service.
    pub(crate) async fn superuser(&self) -> Result<DatabaseConnection> {
        self.connect(DATABASE).await
    }

    async fn connect(&self, database: &str) -> Result<DatabaseConnection> {
        let mut options = ConnectOptions::new(format!("postgres://postgres@{}/{database}", self.address));
        options.max_connections(1).sqlx_logging(false).acquire_timeout(Duration::from_secs(5));
        Ok(sea_orm::Database::connect(options).await?)
    }

    /// Connections of the service's role that use up all that the server allows it.
    pub(crate) async fn use_up_connections(&self) -> Result<Vec<DatabaseConnection>> {
        let mut held = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            let mut options = ConnectOptions::new(self.service_url());
            options.max_connections(1).sqlx_logging(false).acquire_timeout(Duration::from_millis(500));
            match sea_orm::Database::connect(options).await {
                Ok(connection) => held.push(connection),
                Err(_) => break,
            }
        }
        Ok(held)
    }

    /// Executes statements as the superuser.
    pub(crate) async fn execute(&self, statements: &[&str]) -> Result<()> {
        let superuser = self.superuser().await?;
        for statement in statements {
            superuser.execute_unprepared(statement).await?;
        }
        Ok(superuser.close().await?)
    }

    /// Kills the server, and continues with a synchronous standby of it, which is created first: what was committed is on
    /// both. The new primary has another address.
    pub(crate) async fn fail_over(&mut self, ports: &mut PortAllocator) -> Result<()> {
        let address = ports.allocate()?;
        let name = format!("standby-{}", address.port());
        let data = self.data_disk.path().join(&name);
        let copy = self.programs.spec("pg_basebackup").flag("pgdata", data.display());
        let copy = copy.flag("waldir", self.wal_disk.path().join(&name).display());
        let copy = copy.flag("host", self.address.ip()).flag("port", self.address.port());
        let copy = copy.flag("username", "postgres").argument("--checkpoint=fast");
        copy.argument("--write-recovery-conf").argument("--no-sync").run(TIMEOUT).await?;
        let standby = spawn(&self.programs, &data, address, &self.output)?;
        self.execute(&["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"])
            .await?;
        let is_synchronous = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
        let superuser = self.superuser().await?;
        let follows = poll_until(TIMEOUT, async || {
            let statement = Statement::from_string(DbBackend::Postgres, is_synchronous);
            Ok(superuser.query_one_raw(statement).await?.map(drop))
        });
        follows.await?.context("the standby does not follow")?;
        // Commits from here on wait for the standby, so the load before the failure includes some.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.signal(Signal::KILL)?;
        // A killed postmaster leaves its backends for a moment. Dropping the child waits for the postmaster alone.
        let former = std::mem::replace(&mut self.data, data);
        (self.child, self.address) = (standby, address);
        self.promote().await?;
        for disk in [&self.data_disk, &self.wal_disk] {
            let former = disk.path().join(former.file_name().context("the cluster has no name")?);
            // A backend that has not ended yet may still create a file there. It only takes space.
            let _ = fs::remove_dir_all(former);
        }
        Ok(())
    }

    async fn promote(&self) -> Result<()> {
        let promoted = poll_until(TIMEOUT, async || {
            let Ok(superuser) = self.connect("postgres").await else { return Ok(None) };
            let promote = Statement::from_string(DbBackend::Postgres, "SELECT pg_promote()");
            let is_promoted = superuser.query_one_raw(promote).await.is_ok();
            superuser.close().await?;
            Ok(is_promoted.then_some(()))
        });
        promoted.await?.context("the standby cannot be promoted")
    }

    /// Sends a signal to the postmaster.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.child.signal(signal)
    }

    /// Sends a signal to the postmaster and all its backends.
    pub(crate) fn signal_all(&self, signal: Signal) -> Result<()> {
        let backends = children(self.child.id())?;
        self.signal(signal)?;
        for backend in backends {
            // It may have ended meanwhile.
            let _ = kill_process(backend, signal);
        }
        Ok(())
    }

    /// Starts the server again after it ended, and waits until it has recovered.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.child.wait(TIMEOUT).await?;
        self.child = spawn(&self.programs, &self.data, self.address, &self.output)?;
        self.wait_until_ready().await
    }

    /// Waits until the server has recovered. Starts it again if it ended, as an orchestrator does.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn wait_until_ready(&mut self) -> Result<()> {
        let connects = poll_until(TIMEOUT, async || {
            // The backends of a killed server still use its shared memory for a moment, and a new server refuses to
            // start until they are gone.
            if self.child.exit_status()?.is_some() {
                self.child = spawn(&self.programs, &self.data, self.address, &self.output)?;
            }
            match self.connect("postgres").await {
                Ok(connection) => Ok(connection.close().await.is_ok().then_some(())),
                Err(_) => Ok(None),
            }
        });
        connects.await?.with_context(|| format!("Postgres does not start:\n{}", self.output.tail(20)))
    }
}

fn spawn(programs: &Programs, data: &Path, address: SocketAddr, output: &Output) -> Result<Child> {
    let settings = [
        ("listen_addresses", address.ip().to_string()),
        ("port", address.port().to_string()),
        ("unix_socket_directories", String::new()),
        ("max_connections", MAX_CONNECTIONS.to_string()),
        ("max_wal_size", "128MB".to_owned()),
        ("log_min_messages", "warning".to_owned()),
    ];
    let spec = programs.spec("postgres").argument("-D").argument(data);
    let spec = settings
        .into_iter()
        .fold(spec, |spec, (name, value)| spec.argument("-c").argument(format!("{name}={value}")));
    spec.spawn(output.clone())
}

/// The child processes of a process, as Linux lists them.
fn children(parent: Pid) -> Result<Vec<Pid>> {
    let parent = parent.as_raw_nonzero().get();
    let path = format!("/proc/{parent}/task/{parent}/children");
    let list = fs::read_to_string(&path).with_context(|| path.clone())?;
    let pids = list.split_whitespace().map(|pid| pid.parse().ok().and_then(Pid::from_raw));
    pids.collect::<Option<_>>().ok_or_else(|| anyhow!("{path}: {list}"))
}
