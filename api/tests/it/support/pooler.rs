//! Connection poolers in front of Postgres: PgBouncer, if it is installed, and a proxy that rejects what PgBouncer rejects.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use url::Url;

use super::eventually;

/// The parameters of a session that PgBouncer keeps track of. It rejects all others.
const TRACKED: [&str; 5] =
    ["application_name", "client_encoding", "datestyle", "standard_conforming_strings", "timezone"];

const SSL_REQUEST: u32 = 80_877_103;

/// A proxy in front of the server of a Postgres URL that rejects the start-up parameters that PgBouncer rejects. Returns its
/// URL.
pub(crate) async fn strict_about_parameters(url: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, upstream.clone()));
        }
    });
    url.into()
}

async fn serve(mut client: TcpStream, upstream: String) -> std::io::Result<()> {
    let startup = loop {
        let message = startup_message(&mut client).await?;
        if message[4..8] == SSL_REQUEST.to_be_bytes() {
            client.write_all(b"N").await?;
        } else {
            break message;
        }
    };
    if let Some(parameter) = untracked_parameter(&startup) {
        return client.write_all(&rejection(&parameter)).await;
    }
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(&startup).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// A message of the start-up phase, with its length.
async fn startup_message(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = client.read_u32().await?;
    let mut message = length.to_be_bytes().to_vec();
    message.resize(length as usize, 0);
    client.read_exact(&mut message[4..]).await?;
    Ok(message)
}

fn untracked_parameter(startup: &[u8]) -> Option<String> {
    let texts: Vec<_> = startup[8..].split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let names = texts.chunks(2).map(|pair| pair[0].to_lowercase());
    names.into_iter().find(|name| !matches!(&**name, "" | "user" | "database") && !TRACKED.contains(&&**name))
}

/// PgBouncer's error message.
fn rejection(parameter: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0C08P01\0Munsupported startup parameter: {parameter}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap();
    [b"E".as_slice(), &length.to_be_bytes(), fields.as_bytes()].concat()
}

/// A PgBouncer in transaction mode, with as few connections to the server as make transactions share them.
pub(crate) struct PgBouncer {
    process: Child,
    folder: TempDir,
}

impl PgBouncer {
    /// Starts in front of the server of a Postgres URL; `None` if version 1.21 or later is not installed.
    pub(crate) async fn start(url: &str) -> Option<Self> {
        let program = installed()?;
        let url = Url::parse(url).unwrap();
        let (host, port) = (url.host_str().unwrap(), url.port().unwrap_or(5432));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        // Without a TCP port, and readable for the user that PgBouncer changes to, for it refuses to run as root.
        std::fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        let settings = format!(
            "[databases]\n* = host={host} port={port}\n\
             [pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {path}\n\
             auth_type = trust\nauth_file = {path}/users.txt\n\
             pool_mode = transaction\nmax_prepared_statements = 100\ndefault_pool_size = 2\n"
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        let user = format!("\"{}\" \"{}\"\n", url.username(), url.password().unwrap_or_default());
        std::fs::write(folder.path().join("users.txt"), user).unwrap();
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        let process = command.arg(folder.path().join("pgbouncer.ini")).stderr(Stdio::null()).spawn().unwrap();
        let bouncer = Self { process, folder };
        eventually("PgBouncer listens", async || UnixStream::connect(bouncer.socket()).await.ok()).await;
        Some(bouncer)
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join(".s.PGSQL.6432")
    }

    /// The URL with which a client of this database connects through PgBouncer.
    pub(crate) fn url(&self, direct: &str) -> String {
        let mut url = Url::parse(direct).unwrap();
        url.set_host(Some("localhost")).unwrap();
        url.set_port(Some(6432)).unwrap();
        url.query_pairs_mut().append_pair("host", self.folder.path().to_str().unwrap());
        url.into()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program, if it supports prepared statements in transaction mode. Debian installs it where only root finds it.
fn installed() -> Option<&'static str> {
    ["pgbouncer", "/usr/sbin/pgbouncer"].into_iter().find(|program| {
        let Ok(output) = Command::new(program).arg("--version").output() else { return false };
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let version =
            output.lines().next().and_then(|line| line.strip_prefix("PgBouncer 1.")).unwrap_or_default();
        version.split('.').next().and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor >= 21)
    })
}
