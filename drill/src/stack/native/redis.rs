use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stack::child::{Launch, find_program};

/// How the drill's own Redis is started: a drill stops it, so it cannot be one that others use.
pub(super) fn launch(address: SocketAddr, folder: &Path) -> Result<Launch> {
    let program = find_program(&["redis-server"]).context("redis-server is not installed")?;
    let launch = Launch::new("redis", program).argument("--port").argument(address.port().to_string());
    let launch = launch.argument("--bind").argument(address.ip().to_string());
    Ok(launch.argument("--save").argument("").argument("--dir").argument(folder))
}

/// Whether it answers.
pub(super) async fn answers(address: SocketAddr) -> bool {
    ping(address).await.is_ok_and(|answer| answer == *b"+PONG")
}

async fn ping(address: SocketAddr) -> std::io::Result<[u8; 5]> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
