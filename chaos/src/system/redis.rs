//! The Redis of the system.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use glasshouse_drill::polling::poll_until;
use glasshouse_drill::stack::{Child, Output, ProcessSpec};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A Redis server that can be killed, paused and restarted.
pub(crate) struct Redis {
    address: SocketAddr,
    spec: ProcessSpec,
    child: Child,
}

const TIMEOUT: Duration = Duration::from_secs(20);

impl Redis {
    pub(super) async fn start(folder: &Path, address: SocketAddr) -> Result<Self> {
        let spec = ProcessSpec::installed("redis", &["redis-server"])?;
        let spec = spec.argument("--port").argument(address.port().to_string());
        let spec = spec.argument("--bind").argument(address.ip().to_string());
        let spec = spec.argument("--save").argument("").argument("--dir").argument(folder);
        let child = spec.spawn(Output::default())?;
        let redis = Self { address, spec, child };
        redis.wait_until_ready().await?;
        Ok(redis)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.child.signal(signal)
    }

    /// Starts it again after it was killed.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.child = self.spec.spawn(Output::default())?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let ping = async || Ok(self.command("PING").await.is_ok().then_some(()));
        poll_until(TIMEOUT, ping).await?.context("Redis does not respond")
    }

    /// Executes a command of words without spaces.
    ///
    /// # Errors
    /// Redis does not respond, or responds with an error.
    pub(crate) async fn command(&self, command: &str) -> Result<()> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut reply = [0; 256];
        let length = stream.read(&mut reply).await?;
        let reply = String::from_utf8_lossy(&reply[..length]);
        if !reply.starts_with('+') {
            bail!("Redis responds to {command}: {reply}");
        }
        Ok(())
    }
}
