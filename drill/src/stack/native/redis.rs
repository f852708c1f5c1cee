//! Redis as a process.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stack::process::ProcessSpec;

/// A Redis of its own for each stack, because it is stopped.
///
/// # Errors
/// Redis is not installed.
pub fn spec(address: SocketAddr, folder: &Path) -> Result<ProcessSpec> {
    let spec = ProcessSpec::installed("redis", &["redis-server"])?;
    let spec = spec.argument("--port").argument(address.port().to_string());
    let spec = spec.argument("--bind").argument(address.ip().to_string());
    Ok(spec.argument("--save").argument("").argument("--dir").argument(folder))
}

/// Whether the Redis at this address answers a PING.
pub async fn is_ready(address: SocketAddr) -> bool {
    ping(address).await.is_ok_and(|reply| reply == *b"+PONG")
}

async fn ping(address: SocketAddr) -> std::io::Result<[u8; 5]> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut reply = [0; 5];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}
