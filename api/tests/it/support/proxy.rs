//! A TCP proxy that simulates outages.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use super::{Backend, TestApp, TestDatabase, eventually, test_variable};

/// A TCP proxy in front of a server, which can make the server unreachable and reachable again.
pub(crate) struct Proxy {
    url: Url,
    state: watch::Sender<State>,
    traffic: Traffic,
    open: OpenConnections,
    /// Whether data is held: see [`Proxy::hold`].
    holds: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    /// A socket that is bound and never listens: it reserves the port while the proxy refuses connections.
    _port: TcpSocket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Forward,
    /// Connections are accepted and stay open, but no data is forwarded.
    Hang,
    /// Connections are closed, and new ones are refused.
    Refuse,
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// Connections of an earlier generation hang.
    generation: u64,
    /// Connections of an earlier generation than this one are closed.
    open_since: u64,
    /// Data of clients that contains this text is held.
    held: Option<&'static str>,
}

type Watch = watch::Receiver<State>;

/// The generations of the open connections.
#[derive(Clone, Default)]
struct OpenConnections(Arc<Mutex<Vec<u64>>>);

/// Counts a connection until it is dropped.
struct OpenConnection(OpenConnections, u64);

impl OpenConnections {
    fn add(&self, generation: u64) -> OpenConnection {
        self.0.lock().unwrap().push(generation);
        OpenConnection(self.clone(), generation)
    }

    fn has_one_before(&self, generation: u64) -> bool {
        self.0.lock().unwrap().iter().any(|open| *open < generation)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let Self(OpenConnections(open), generation) = self;
        let mut open = open.lock().unwrap();
        let position = open.iter().position(|open| open == generation).unwrap();
        open.swap_remove(position);
    }
}

/// One reference for each open connection, and the number of requests: each read from a client is one, unless the
/// client sends the next request before it has read the response.
type Traffic = Arc<AtomicU64>;

async fn refuses(state: &mut Watch) {
    let _ = state.wait_for(|state| state.mode == Mode::Refuse).await;
}

async fn is_closed(state: &mut Watch, generation: u64) {
    let _ = state.wait_for(|state| state.open_since > generation).await;
}

/// Waits while data of a client contains the text that is held.
async fn wait_if_held(state: &mut Watch, holds: &watch::Sender<bool>, data: &[u8]) {
    let is_held = |state: &State| {
        state.held.is_some_and(|text| data.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    if is_held(&state.borrow()) {
        holds.send_replace(true);
        let _ = state.wait_for(|state| !is_held(state)).await;
    }
}

/// Waits until a connection of this generation may forward data; `false` once the proxy is dropped.
async fn may_pass(state: &mut Watch, generation: u64) -> bool {
    state.wait_for(|state| state.mode != Mode::Hang && state.generation == generation).await.is_ok()
}

impl Proxy {
    /// A proxy in front of the server of a URL such as `redis://127.0.0.1:6379`.
    pub(crate) fn before(url: &str) -> Self {
        let mut url = Url::parse(url).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let port = bind(([127, 0, 0, 1], 0).into());
        let address = port.local_addr().unwrap();
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        let (state, watch) =
            watch::channel(State { mode: Mode::Forward, generation: 0, open_since: 0, held: None });
        let holds = watch::Sender::new(false);
        let (traffic, open) = (Traffic::default(), OpenConnections::default());
        // Listens before the task starts, so that the first connection succeeds.
        let listener = bind(address).listen(128).unwrap();
        let (shared_holds, shared_traffic) = (holds.clone(), traffic.clone());
        let parts =
            Parts { target, state: watch, holds: shared_holds, traffic: shared_traffic, open: open.clone() };
        let accepting = tokio::spawn(accept(listener, address, parts));
        Self { url, state, traffic, open, holds, accepting, _port: port }
    }

    /// The URL of the server with the address of the proxy.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) async fn refuse(&self) {
        self.state.send_modify(|state| state.mode = Mode::Refuse);
        let address = self.url.socket_addrs(|| None).unwrap()[0];
        eventually("all connections are closed and new ones refused", async || {
            let refuses = TcpStream::connect(address).await.is_err();
            // The proxy and its accepting task hold one reference each.
            (refuses && Arc::strong_count(&self.traffic) == 2).then_some(())
        })
        .await;
    }

    pub(crate) fn hang(&self) {
        self.state.send_modify(|state| state.mode = Mode::Hang);
    }

    /// Makes all open connections hang forever, as after a firewall dropped their state. New ones work.
    pub(crate) fn lose_connections(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Closes all open connections. New ones work.
    pub(crate) async fn close_connections(&self) {
        self.state.send_modify(|state| {
            state.generation += 1;
            state.open_since = state.generation;
        });
        let generation = self.state.borrow().generation;
        eventually("all connections are closed", async || {
            (!self.open.has_one_before(generation)).then_some(())
        })
        .await;
    }

    /// The number of requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.traffic.load(Ordering::Relaxed)
    }

    /// Holds the next data of clients that contains `text`, until [`Proxy::release`].
    pub(crate) fn hold(&self, text: &'static str) {
        self.holds.send_replace(false);
        self.state.send_modify(|state| state.held = Some(text));
    }

    /// Waits until data is held.
    pub(crate) async fn holds(&self) {
        let mut holds = self.holds.subscribe();
        let held = tokio::time::timeout(Duration::from_secs(30), holds.wait_for(|holds| *holds)).await;
        assert!(held.is_ok(), "timed out: data is held");
    }

    /// Forwards what is held.
    pub(crate) fn release(&self) {
        self.state.send_modify(|state| state.held = None);
    }

    pub(crate) fn restore(&self) {
        self.state.send_modify(|state| state.mode = Mode::Forward);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// What the connections through a proxy share.
#[derive(Clone)]
struct Parts {
    target: String,
    state: Watch,
    holds: watch::Sender<bool>,
    traffic: Traffic,
    open: OpenConnections,
}

async fn accept(first: TcpListener, address: SocketAddr, parts: Parts) {
    let mut state = parts.state.clone();
    let mut listener = Some(first);
    loop {
        let listening = listener.take().unwrap_or_else(|| bind(address).listen(128).unwrap());
        loop {
            tokio::select! {
                accepted = listening.accept() => {
                    let (client, _) = accepted.unwrap();
                    tokio::spawn(forward(client, parts.clone()));
                }
                () = refuses(&mut state) => break,
            }
        }
        drop(listening);
        if state.wait_for(|state| state.mode != Mode::Refuse).await.is_err() {
            return;
        }
    }
}

async fn forward(client: TcpStream, Parts { target, mut state, holds, traffic, open }: Parts) {
    let generation = state.borrow().generation;
    let _open = open.add(generation);
    let mut closed = state.clone();
    tokio::select! {
        passes = may_pass(&mut state, generation) => if !passes { return },
        () = is_closed(&mut closed, generation) => return,
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut refused = state.clone();
    let responses = AtomicU64::new(0);
    tokio::select! {
        () = pump(from_client, to_server, state.clone(), generation, &traffic, Some(holds)) => {}
        () = pump(from_server, to_client, state.clone(), generation, &responses, None) => {}
        () = refuses(&mut refused) => {}
        () = is_closed(&mut state, generation) => {}
    }
}

/// Copies until one side ends, and counts the reads. Data that was read while the proxy hangs is forwarded later, and so is
/// data that is held, if `holds` is given.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: Watch,
    generation: u64,
    reads: &AtomicU64,
    holds: Option<watch::Sender<bool>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        reads.fetch_add(1, Ordering::Relaxed);
        if let Some(holds) = &holds {
            wait_if_held(&mut state, holds, &buffer[..n]).await;
        }
        if !may_pass(&mut state, generation).await || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

/// The application on Postgres and Redis, with a proxy in front of each.
pub(crate) struct BehindProxies {
    pub(crate) app: TestApp,
    pub(crate) postgres: Proxy,
    pub(crate) redis: Proxy,
}

impl BehindProxies {
    /// Starts with short timeouts.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let database = TestDatabase::create(Backend::Servers).await;
        let postgres = Proxy::before(&database.service_url());
        let redis = Proxy::before(&test_variable("TEST_REDIS_URL"));
        let mut all = vec![
            ("DATABASE_URL", postgres.url()),
            ("REDIS_URL", redis.url()),
            ("REDIS_TIMEOUT_MS", "250"),
            ("DATABASE_ACQUIRE_TIMEOUT_MS", "1500"),
            ("DATABASE_STATEMENT_TIMEOUT_MS", "1000"),
        ];
        all.extend(settings);
        let app = TestApp::start_on(database, &all).await;
        Self { app, postgres, redis }
    }
}
