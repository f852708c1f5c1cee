//! A graceful shutdown under traffic that does not end: clients go on sending until their connections are refused.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::command_line::{Stack, common, with};
use crate::support::{Backend, Client, Process, TestApp, eventually, header, key};

/// Each kind of client, for each request.
const CLIENTS: usize = 3;

/// Longer than the drain, so that orders are in flight when the listener closes.
const GATEWAY_LATENCY_MS: u64 = 400;

/// The grace period is longer than the test waits for the end of a process.
const SETTINGS: [(&str, &str); 2] =
    [("GLASSHOUSE_SHUTDOWN_DRAIN_MS", "200"), ("GLASSHOUSE_SHUTDOWN_GRACE_SECONDS", "120")];

/// The requests of a client whose response did not come or was incomplete.
type Cuts = Vec<String>;
const NO_CUTS: Cuts = Vec::new();

/// A request line, headers and a body; with an idempotency key of its own each time it is sent.
#[derive(Clone)]
struct Request {
    line: String,
    token: String,
    body: String,
}

impl Request {
    fn get(path: &str, token: &str) -> Self {
        Self { line: format!("GET {path} HTTP/1.1"), token: token.to_owned(), body: String::new() }
    }

    fn order(owner: &Client, product: &str) -> Self {
        let body = json!({ "items": [{ "product_id": product, "quantity": 1 }] }).to_string();
        Self { line: "POST /v1/orders HTTP/1.1".to_owned(), token: owner.token().to_owned(), body }
    }

    fn bytes(&self, keeps_alive: bool) -> Vec<u8> {
        let Self { line, token, body } = self;
        let mut head = format!("{line}\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
        if !token.is_empty() {
            head += &format!("Authorization: Bearer {token}\r\nIdempotency-Key: {}\r\n", key());
        }
        if !body.is_empty() {
            head += "Content-Type: application/json\r\n";
        }
        if !keeps_alive {
            head += "Connection: close\r\n";
        }
        format!("{head}\r\n{body}").into_bytes()
    }
}

/// Clients that send one request after the other, over persistent connections and over new ones, until the server refuses
/// a connection.
struct Traffic {
    clients: Vec<JoinHandle<Cuts>>,
    /// The number of responses that each client has received.
    answered: Vec<Arc<AtomicUsize>>,
}

impl Traffic {
    fn start(address: &str, requests: &[Request]) -> Self {
        let kinds = requests.iter().flat_map(|request| [(request, true), (request, false)]);
        let client = |(request, keeps_alive): (&Request, bool)| {
            let (request, answered) = (request.clone(), Arc::<AtomicUsize>::default());
            let sending = send_until_refused(address.to_owned(), request, keeps_alive, answered.clone());
            (tokio::spawn(sending), answered)
        };
        let (clients, answered) = kinds.flat_map(|kind| [kind; CLIENTS]).map(client).unzip();
        Self { clients, answered }
    }

    async fn flows(&self) {
        eventually("every client has responses", async || {
            self.answered.iter().all(|answered| answered.load(Relaxed) > 1).then_some(())
        })
        .await;
    }

    async fn ends_without_a_cut(self) {
        for client in self.clients {
            assert_eq!(client.await.unwrap(), NO_CUTS);
        }
    }
}

async fn send_until_refused(
    address: String,
    request: Request,
    keeps_alive: bool,
    answered: Arc<AtomicUsize>,
) -> Cuts {
    let mut cuts = NO_CUTS;
    loop {
        let mut connection = match TcpStream::connect(&address).await {
            Ok(connection) => connection,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return cuts,
            Err(error) => panic!("neither connected nor refused: {error}"),
        };
        loop {
            match exchange(&mut connection, &request.bytes(keeps_alive)).await {
                Ok(response) => {
                    let status = &response[9..12];
                    assert!(["200", "201", "202"].contains(&status), "{response}");
                    answered.fetch_add(1, Relaxed);
                    if header(&response, "connection") == Some("close") {
                        break;
                    }
                }
                Err(error) => {
                    cuts.push(format!("{}, keeps alive: {keeps_alive}: {error}", request.line));
                    break;
                }
            }
        }
    }
}

/// Sends a request, and receives a complete response.
async fn exchange(connection: &mut TcpStream, request: &[u8]) -> io::Result<String> {
    connection.write_all(request).await?;
    receive(connection).await
}

async fn receive(connection: &mut TcpStream) -> io::Result<String> {
    let mut response = Vec::new();
    loop {
        if connection.read_buf(&mut response).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} bytes", response.len())));
        }
        let text = String::from_utf8_lossy(&response);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length: usize = header(head, "content-length").unwrap().parse().unwrap();
            if body.len() == length {
                return Ok(text.into_owned());
            }
        }
    }
}

async fn slow_down(gateway: &Client) {
    let behavior = json!({ "latency_ms": GATEWAY_LATENCY_MS });
    gateway.send(Method::PUT, "/control", Some(behavior)).await.expect(200);
}

/// Stops the process while its clients send requests, and waits for its end.
async fn stops<const N: usize>(process: Process, traffic: [Traffic; N]) {
    for traffic in &traffic {
        traffic.flows().await;
    }
    process.signal("TERM");
    let ended = process.ends().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    for traffic in traffic {
        traffic.ends_without_a_cut().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_answers_until_it_refuses() {
    for drain in ["0", "200"] {
        let mut stack = Stack::start([SETTINGS[1], ("GLASSHOUSE_SHUTDOWN_DRAIN_MS", drain)]).await;
        let (owner, product, gateway) = stack.shop().await;
        slow_down(&gateway).await;
        let requests = [Request::order(&owner, &product), Request::get("/v1/products", owner.token())];
        let api = Traffic::start(&stack.serve.address("http_addr").await, &requests);
        let requests = [Request::get("/health/live", "")];
        let management = Traffic::start(&stack.serve.address("management_addr").await, &requests);
        stops(stack.serve, [api, management]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_answers_until_it_refuses() {
    let data = tempfile::tempdir().unwrap();
    let settings = with(&common(), [("GLASSHOUSE_DATA_DIR", data.path().to_str().unwrap())]);
    let mut demo = Process::start(&[], &with(&settings, SETTINGS));
    let owner = demo.client("http_addr").await.sign_up("traffic").await;
    let product = owner.add_product(100_000).await;
    slow_down(&demo.client("gateway_addr").await).await;
    let requests = [Request::order(&owner, &product), Request::get("/v1/products", owner.token())];
    let api = Traffic::start(&demo.address("http_addr").await, &requests);
    let health = [Request::get("/health/live", "")];
    let management = Traffic::start(&demo.address("management_addr").await, &health);
    let simulator = Traffic::start(&demo.address("gateway_addr").await, &[Request::get("/control", "")]);
    stops(demo, [api, management, simulator]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_and_gateway_answer_until_they_refuse() {
    let mut stack = Stack::start(SETTINGS).await;
    let health = [Request::get("/health/live", "")];
    let management = Traffic::start(&stack.worker.address("management_addr").await, &health);
    stops(stack.worker, [management]).await;
    let management = Traffic::start(&stack.gateway.address("management_addr").await, &health);
    let control =
        Traffic::start(&stack.gateway.address("gateway_addr").await, &[Request::get("/control", "")]);
    stops(stack.gateway, [management, control]).await;
}

/// Waits until connections are refused.
async fn refuses(address: &str) {
    eventually("new connections are refused", async || {
        let refused = TcpStream::connect(address).await.err()?;
        (refused.kind() == io::ErrorKind::ConnectionRefused).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_do_not_delay_the_end() {
    let app = TestApp::start(Backend::Embedded).await;
    let mut clients = JoinSet::new();
    for address in [app.addresses.http, app.addresses.management, app.addresses.gateway] {
        let address = address.unwrap().to_string();
        let mut unused = TcpStream::connect(&address).await.unwrap();
        let mut kept_alive = TcpStream::connect(&address).await.unwrap();
        let request = Request::get("/no/such/path", "").bytes(true);
        assert!(exchange(&mut kept_alive, &request).await.unwrap().starts_with("HTTP/1.1 404"));
        clients.spawn(async move {
            let mut rest = Vec::new();
            assert_eq!(unused.read_to_end(&mut rest).await.unwrap(), 0, "it is closed, and gets no response");
            assert_eq!(kept_alive.read_to_end(&mut rest).await.unwrap(), 0, "it is closed");
        });
    }
    // The keep-alive timeout is longer than the grace period, and a stop that exceeds the latter fails.
    app.stop().await;
    clients.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_has_begun_is_sent_as_a_whole() {
    let mut app = TestApp::start(Backend::Embedded).await;
    let address = app.addresses.http.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut reader = socket.connect(address).await.unwrap();
    reader.write_all(&Request::get("/openapi.json", "").bytes(true)).await.unwrap();
    reader.readable().await.unwrap();
    app.begin_shutdown();
    refuses(&address.to_string()).await;
    let response = receive(&mut reader).await.unwrap();
    assert!(response.ends_with('}'), "the document is complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stops_is_not_ready_whatever_its_dependencies_do() {
    let mut app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_SHUTDOWN_DRAIN_MS", "60000")]).await;
    app.begin_shutdown();
    for client in [app.anonymous(), app.management()] {
        let response = eventually("readiness turns 503", async || {
            let response = client.get("/health/ready").await;
            (response.status == 503).then_some(response)
        })
        .await;
        assert_eq!(response.header("connection"), "close");
        assert_eq!(response.body, json!({ "status": "not_ready", "checks": {} }));
        assert_eq!(client.get("/health/live").await.header("connection"), "close");
    }
    assert_eq!(app.gateway().get("/control").await.header("connection"), "close");
}
