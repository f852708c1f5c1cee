//! The way from customers to the API, which a drill can interrupt: forwards TCP connections, as a load balancer does.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Forwards connections while it is open. Dropping it closes them.
pub(super) struct FrontDoor {
    address: SocketAddr,
    target: SocketAddr,
    /// `None` while it is closed.
    forwarding: Option<JoinHandle<()>>,
}

impl FrontDoor {
    /// Opens the way from `address` to `target`.
    pub(super) async fn open(address: SocketAddr, target: SocketAddr) -> Result<Self> {
        let mut door = Self { address, target, forwarding: None };
        door.reopen().await?;
        Ok(door)
    }

    /// Closes all connections, and accepts none.
    pub(super) fn close(&mut self) {
        if let Some(forwarding) = self.forwarding.take() {
            forwarding.abort();
        }
    }

    /// Accepts connections again.
    pub(super) async fn reopen(&mut self) -> Result<()> {
        self.close();
        let listener = TcpListener::bind(self.address).await.context("the front door")?;
        self.forwarding = Some(tokio::spawn(forward(listener, self.target)));
        Ok(())
    }
}

impl Drop for FrontDoor {
    fn drop(&mut self) {
        self.close();
    }
}

/// Dropping this ends all connections.
async fn forward(listener: TcpListener, target: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        connections.spawn(async move {
            let mut server = TcpStream::connect(target).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
        while connections.try_join_next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_closed_door_ends_connections_and_accepts_none() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = server.local_addr().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut door = FrontDoor::open(address, target).await.unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut accepted, _) = server.accept().await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let mut received = [0; 4];
        accepted.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"ping");

        door.close();
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
        assert!(rest.is_empty() && TcpStream::connect(address).await.is_err());
        door.reopen().await.unwrap();
        assert!(TcpStream::connect(address).await.is_ok());
    }
}
