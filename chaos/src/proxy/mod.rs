//! A TCP proxy in front of each server, through which each process connects: it disturbs the network, and watches the
//! statements that a process sends.

mod gateway;
mod link;
mod statements;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) use gateway::Misbehavior;
pub(crate) use link::Condition;
use link::Link;
pub(crate) use statements::{FailPoint, FailPoints, Moment};

/// What the proxy understands of the data that it forwards.
#[derive(Clone, Debug)]
enum Protocol {
    /// Nothing.
    Opaque,
    /// The protocol of Postgres, with the fail points of the process that connects.
    Postgres(Arc<FailPoints>),
    /// HTTP requests to the payment gateway.
    Gateway(watch::Receiver<Misbehavior>),
}

/// The state of a proxy that its connections follow.
#[derive(Clone, Copy, Debug)]
struct State {
    target: SocketAddr,
    condition: Condition,
    /// How often all connections were closed. A connection ends when this increases.
    cuts: u64,
    /// How often all connections were lost. No data passes any more when this increases.
    losses: u64,
    /// How many of the losses the server has detected: it has closed its side of these connections.
    known_losses: u64,
}

/// A proxy. Dropping it closes its connections.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    misbehavior: watch::Sender<Misbehavior>,
}

impl Proxy {
    /// A proxy that forwards bytes.
    pub(crate) async fn opaque(target: SocketAddr) -> Result<Self> {
        Self::start(target, |_| Protocol::Opaque).await
    }

    /// A proxy in front of Postgres that watches the statements of one process.
    pub(crate) async fn postgres(target: SocketAddr, fail_points: Arc<FailPoints>) -> Result<Self> {
        Self::start(target, |_| Protocol::Postgres(fail_points)).await
    }

    /// A proxy in front of the payment gateway, which can misbehave.
    pub(crate) async fn gateway(target: SocketAddr) -> Result<Self> {
        Self::start(target, Protocol::Gateway).await
    }

    async fn start(
        target: SocketAddr,
        protocol: impl FnOnce(watch::Receiver<Misbehavior>) -> Protocol,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (state, watched) = watch::channel(State {
            target,
            condition: Condition::Healthy,
            cuts: 0,
            losses: 0,
            known_losses: 0,
        });
        let (misbehavior, watched_misbehavior) = watch::channel(Misbehavior::None);
        tokio::spawn(accept(listener, watched, protocol(watched_misbehavior)));
        Ok(Self { address, state, misbehavior })
    }

    /// Where the proxy listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the condition of the network for all connections.
    pub(crate) fn set(&self, condition: Condition) {
        self.state.send_modify(|state| state.condition = condition);
    }

    /// Closes all connections. New ones are forwarded.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Loses all connections without a word, as when a machine dies: the server receives no FIN, and keeps its side open.
    /// New connections are forwarded.
    pub(crate) fn lose(&self) {
        self.state.send_modify(|state| state.losses += 1);
    }

    /// Lets the server know of all lost connections, as its TCP keepalives would after half a minute.
    pub(crate) fn forget_lost(&self) {
        self.state.send_modify(|state| state.known_losses = state.losses);
    }

    /// Forwards new connections to another server, and closes those to the previous one.
    pub(crate) fn retarget(&self, target: SocketAddr) {
        self.state.send_modify(|state| {
            state.target = target;
            state.cuts += 1;
        });
    }

    /// Sets how a proxy in front of the gateway answers.
    pub(crate) fn misbehave(&self, misbehavior: Misbehavior) {
        self.misbehavior.send_replace(misbehavior);
    }
}

async fn accept(listener: TcpListener, state: watch::Receiver<State>, protocol: Protocol) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(serve(client, state.clone(), protocol.clone()));
        if state.has_changed().is_err() {
            return;
        }
    }
}

/// Forwards one connection until either side ends, or the connection is cut.
async fn serve(client: TcpStream, state: watch::Receiver<State>, protocol: Protocol) {
    let (target, cuts) = (state.borrow().target, state.borrow().cuts);
    let mut closing = state.clone();
    let is_cut = closing.wait_for(|state| state.cuts > cuts);
    // A connection that ends badly is what its two sides expect of a network. There is no caller to report it to.
    tokio::select! {
        _ = forward(client, target, Link::new(state), protocol) => {}
        _ = is_cut => {}
    }
}

async fn forward(
    mut client: TcpStream,
    target: SocketAddr,
    mut link: Link,
    protocol: Protocol,
) -> io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let result = match protocol {
        Protocol::Opaque => link::forward(&mut client, &mut server, &link).await,
        Protocol::Postgres(fail_points) => {
            statements::forward(&mut client, &mut server, &link, &fail_points).await
        }
        Protocol::Gateway(misbehavior) => {
            gateway::forward(&mut client, &mut server, &link, &misbehavior).await
        }
    };
    if link.is_lost() {
        // The server does not learn that the client ended.
        link.known_to_be_lost().await;
    }
    result
}
