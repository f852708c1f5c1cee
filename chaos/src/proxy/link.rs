//! The condition of the network between a process and a server.

use std::time::Duration;
use std::{fmt, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::State;

/// The condition of the network. It applies to both directions of all connections of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Data passes.
    Healthy,
    /// Connections stay open, and no data passes: a firewall that lost its state, or a dead machine. What was sent
    /// arrives when the condition ends.
    Silent,
    /// Data passes later.
    Delayed(Duration),
    /// At most this many bytes a second pass on each connection.
    Throttled(u32),
    /// Requests pass; the server's half of each connection is closed, so no response arrives.
    HalfClosed,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => f.write_str("healthy"),
            Self::Silent => f.write_str("connections go silent"),
            Self::Delayed(delay) => write!(f, "{delay:?} of delay"),
            Self::Throttled(rate) => write!(f, "{rate} bytes/s"),
            Self::HalfClosed => f.write_str("no response arrives"),
        }
    }
}

/// The direction of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToServer,
    ToClient,
}

/// The network between the two sides of one connection.
#[derive(Clone, Debug)]
pub(super) struct Link {
    state: watch::Receiver<State>,
    /// The losses before the connection was opened.
    losses: u64,
}

impl Link {
    pub(super) fn new(state: watch::Receiver<State>) -> Self {
        let losses = state.borrow().losses;
        Self { state, losses }
    }

    /// Whether the connection was lost without a word.
    pub(super) fn is_lost(&self) -> bool {
        self.state.borrow().losses > self.losses
    }

    /// Waits until the server has detected that the connection was lost.
    pub(super) async fn known_to_be_lost(&mut self) {
        let losses = self.losses;
        // The error is that the proxy was dropped.
        let _ = self.state.wait_for(|state| state.known_losses > losses).await;
    }

    /// Waits until this many bytes may pass.
    ///
    /// # Errors
    /// The connection must end, or it was lost and the server has detected it.
    pub(super) async fn pass(&mut self, direction: Direction, length: usize) -> io::Result<()> {
        let losses = self.losses;
        let may_pass = self.state.wait_for(|state| {
            state.known_losses > losses || (state.condition != Condition::Silent && state.losses <= losses)
        });
        let state = *may_pass.await.map_err(|_| io::ErrorKind::ConnectionAborted)?;
        if state.known_losses > losses {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        match state.condition {
            Condition::Healthy | Condition::Silent => {}
            Condition::Delayed(delay) => tokio::time::sleep(delay).await,
            Condition::Throttled(rate) => {
                let bytes = u32::try_from(length).unwrap_or(u32::MAX);
                tokio::time::sleep(Duration::from_secs_f64(f64::from(bytes) / f64::from(rate.max(1)))).await;
            }
            Condition::HalfClosed if direction == Direction::ToClient => {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Condition::HalfClosed => {}
        }
        Ok(())
    }
}

/// Copies both directions until either side ends.
pub(super) async fn forward(client: &mut TcpStream, server: &mut TcpStream, link: &Link) -> io::Result<()> {
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    tokio::select! {
        result = copy(from_client, to_server, link.clone(), Direction::ToServer) => result,
        result = copy(from_server, to_client, link.clone(), Direction::ToClient) => result,
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut link: Link,
    direction: Direction,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        link.pass(direction, length).await?;
        to.write_all(&buffer[..length]).await?;
    }
}
