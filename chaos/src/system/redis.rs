//! The Redis of the system.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use glasshouse_drill::stack::{Child, Output, ProcessSpec, redis};
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
        let spec = redis::spec(address, folder)?;
        let child = spec.spawn(Output::default())?;
        let mut redis = Self { address, spec, child };
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

    async fn wait_until_ready(&mut self) -> Result<()> {
        self.child.wait_until_ready(TIMEOUT, async || redis::is_ready(self.address).await).await
    }

    /// The number of connected clients.
    ///
    /// # Errors
    /// Redis does not respond.
    pub(crate) async fn clients(&self) -> Result<u32> {
        let reply = self.reply("INFO clients").await?;
        let line = reply.lines().find_map(|line| line.strip_prefix("connected_clients:"));
        let clients: u32 = line.with_context(|| reply.clone())?.trim().parse()?;
        // Less the connection that asks.
        Ok(clients.saturating_sub(1))
    }

    /// Executes a command of words without spaces.
    ///
    /// # Errors
    /// Redis does not respond, or responds with an error.
    pub(crate) async fn command(&self, command: &str) -> Result<()> {
        let reply = self.reply(command).await?;
        ensure!(reply.starts_with('+'), "Redis responds to {command}: {reply}");
        Ok(())
    }

    /// The reply to a command of words without spaces. It is short, so it comes at once.
    async fn reply(&self, command: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut reply = [0; 1024];
        let length = stream.read(&mut reply).await?;
        Ok(String::from_utf8_lossy(&reply[..length]).into_owned())
    }
}
