use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use super::{Backend, TestApp, TestDatabase, eventually, test_variable};

/// A TCP proxy in front of a server, which can take the server away and bring it back.
pub(crate) struct Proxy {
    url: Url,
    mode: watch::Sender<Mode>,
    connections: Arc<()>,
    accepting: JoinHandle<()>,
    /// Bound and never listening: it keeps the port while nobody listens.
    _port: TcpSocket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Forward,
    /// Connections are accepted and stay open, and no byte passes.
    Hang,
    /// Connections are closed, and new ones refused.
    Refuse,
}

type Watch = watch::Receiver<Mode>;

impl Proxy {
    /// A proxy in front of the server that a URL such as `redis://127.0.0.1:6379` names.
    pub(crate) fn before(url: &str) -> Self {
        let mut url = Url::parse(url).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let port = bind(([127, 0, 0, 1], 0).into());
        let address = port.local_addr().unwrap();
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        let (mode, watch) = watch::channel(Mode::Forward);
        let connections = Arc::new(());
        // Here and not in the task, so that the first connection finds somebody listening.
        let listener = bind(address).listen(128).unwrap();
        let accepting = tokio::spawn(accept(listener, address, target, watch, connections.clone()));
        Self { url, mode, connections, accepting, _port: port }
    }

    /// The URL with the proxy's address in it.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) async fn refuse(&self) {
        self.mode.send_replace(Mode::Refuse);
        let address = self.url.socket_addrs(|| None).unwrap()[0];
        eventually("all connections are closed and new ones refused", async || {
            let refuses = TcpStream::connect(address).await.is_err();
            // One is this proxy's own, one the accepting task's.
            (refuses && Arc::strong_count(&self.connections) == 2).then_some(())
        })
        .await;
    }

    pub(crate) fn hang(&self) {
        self.mode.send_replace(Mode::Hang);
    }

    pub(crate) fn restore(&self) {
        self.mode.send_replace(Mode::Forward);
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

async fn accept(
    first: TcpListener,
    address: SocketAddr,
    target: String,
    mut mode: Watch,
    connections: Arc<()>,
) {
    let mut listener = Some(first);
    loop {
        let listening = listener.take().unwrap_or_else(|| bind(address).listen(128).unwrap());
        loop {
            tokio::select! {
                accepted = listening.accept() => {
                    let (client, _) = accepted.unwrap();
                    tokio::spawn(forward(client, target.clone(), mode.clone(), connections.clone()));
                }
                () = refuses(&mut mode) => break,
            }
        }
        drop(listening);
        if mode.wait_for(|mode| *mode != Mode::Refuse).await.is_err() {
            return;
        }
    }
}

async fn refuses(mode: &mut Watch) {
    let _ = mode.wait_for(|mode| *mode == Mode::Refuse).await;
}

async fn forward(client: TcpStream, target: String, mut mode: Watch, _alive: Arc<()>) {
    let server = async {
        let mut mode = mode.clone();
        mode.wait_for(|mode| *mode != Mode::Hang).await.ok()?;
        TcpStream::connect(target).await.ok()
    };
    let Some(server) = server.await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pump(from_client, to_server, mode.clone()) => {}
        () = pump(from_server, to_client, mode.clone()) => {}
        () = refuses(&mut mode) => {}
    }
}

/// Copies until one side ends. What was read while the proxy hangs is kept, and passed on later.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: Watch) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let has_ended = mode.wait_for(|mode| *mode != Mode::Hang).await.is_err();
        if has_ended || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

/// The application on Postgres and Redis, with a proxy before each of them.
pub(crate) struct BehindProxies {
    pub(crate) app: TestApp,
    pub(crate) postgres: Proxy,
    pub(crate) redis: Proxy,
}

impl BehindProxies {
    /// Starts with short deadlines.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let database = TestDatabase::create(Backend::Servers).await;
        let postgres = Proxy::before(&database.service_url());
        let redis = Proxy::before(&test_variable("TEST_REDIS_URL"));
        let mut all = vec![
            ("DATABASE_URL", postgres.url()),
            ("REDIS_URL", redis.url()),
            ("REDIS_TIMEOUT_MS", "250"),
            ("DATABASE_ACQUIRE_TIMEOUT_MS", "700"),
            ("DATABASE_STATEMENT_TIMEOUT_MS", "1000"),
        ];
        all.extend(settings);
        let app = TestApp::start_on(database, &all).await;
        Self { app, postgres, redis }
    }
}
