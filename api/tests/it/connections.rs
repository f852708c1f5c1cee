//! Connections that clients hold: each has deadlines, and all of them leave room for others.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::command_line::{common, with};
use crate::support::{Backend, Process, Response, Scrape, TestApp, eventually, log_lines};

const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
const INCOMPLETE_HEAD: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
const INCOMPLETE_BODY: &[u8] =
    b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";

async fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(bytes).await.unwrap();
    connection
}

/// A connection on which a request was answered.
async fn kept_alive(address: SocketAddr) -> TcpStream {
    let mut connection = connect(address, LIVE).await;
    let mut read = Vec::new();
    while !read.ends_with(b"{\"status\":\"ok\"}") {
        read.push(connection.read_u8().await.unwrap());
    }
    connection
}

/// What the server sends until it closes the connection.
async fn rest(mut connection: TcpStream) -> String {
    let mut read = Vec::new();
    // Bytes that the server has not read reset the connection.
    let _ = connection.read_to_end(&mut read).await;
    String::from_utf8(read).unwrap()
}

/// A client that has no connection to begin with.
fn newcomer() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(20)).build().unwrap()
}

async fn answers(address: impl std::fmt::Display, path: &str) {
    let request = newcomer().request(Method::GET, format!("http://{address}{path}"));
    Response::of(request).await.expect(200);
}

/// Clients delay the acknowledgment of a segment by 40 ms, in the hope for another one.
const DELAYED_ACKNOWLEDGMENT: Duration = Duration::from_millis(40);

#[tokio::test]
async fn a_large_response_does_not_wait_for_an_acknowledgment() {
    let app = TestApp::start(Backend::Embedded).await;
    let (public, management) = (app.addresses.http.unwrap(), app.addresses.management.unwrap());
    for url in [format!("http://{public}/openapi.json"), format!("http://{management}/metrics")] {
        // One connection: the first responses on it are acknowledged at once.
        let client = reqwest::Client::builder().pool_max_idle_per_host(1).build().unwrap();
        let mut slow = 0;
        for _ in 0..40 {
            let begun = Instant::now();
            client.get(&url).send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
            slow += usize::from(begun.elapsed() >= DELAYED_ACKNOWLEDGMENT);
        }
        // A busy machine may delay some of them.
        assert!(slow < 20, "{slow} of 40 responses of {url} were late");
    }
}

#[tokio::test]
async fn every_head_of_a_connection_has_a_deadline() {
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_HEADER_TIMEOUT_MS", "400")]).await;
    let address = app.addresses.http.unwrap();
    for incomplete in [INCOMPLETE_HEAD, b"G", b"\r\n"] {
        let mut connection = kept_alive(address).await;
        connection.write_all(incomplete).await.unwrap();
        let response = rest(connection).await;
        assert!(response.starts_with("HTTP/1.1 408"), "{response:?}");
        assert!(response.contains("application/problem+json"), "{response}");
        assert!(response.contains("\"code\":\"request_head_timed_out\""), "{response}");
    }
    let (mut reader, mut writer) = kept_alive(address).await.into_split();
    let drip = tokio::spawn(async move {
        writer.write_all(INCOMPLETE_HEAD).await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut status = [0; 12];
    reader.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 408");
    drip.await.unwrap();
    // A client may take its time between requests.
    let mut idle = kept_alive(address).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    idle.write_all(LIVE).await.unwrap();
    assert_ne!(idle.read(&mut [0; 1024]).await.unwrap(), 0);
    let scrape = Scrape::of(&app.management()).await;
    assert_eq!(scrape.sum("http_connections_closed_total", "reason=\"head_timeout\""), 4.0);
}

#[tokio::test]
async fn a_connection_whose_body_timed_out_is_closed() {
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_BODY_TIMEOUT_MS", "300")]).await;
    for framing in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        let head = format!("POST /v1/tenants HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
        let response = rest(connect(app.addresses.http.unwrap(), head.as_bytes()).await).await;
        assert!(response.starts_with("HTTP/1.1 408"), "{response:?}");
        assert!(response.to_lowercase().contains("connection: close"), "{response}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_wait_for_their_clients_make_room_for_others() {
    let settings = [("GLASSHOUSE_MAX_CONNECTIONS", "32"), ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "30000")];
    let app = TestApp::start_with(Backend::Embedded, &settings).await;
    let (address, owner) = (app.addresses.http.unwrap(), app.new_tenant().await);
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "latency_ms": 3000 })).await;
    let order = owner.with_own_connections().spawn_order(&product);
    eventually("the order is at the gateway", async || {
        let pending = "SELECT count(*) AS n FROM orders WHERE state = 'pending'";
        (app.database.number(pending).await == 1).then_some(())
    })
    .await;
    let mut held = Vec::new();
    for begun in [b"".as_slice(), INCOMPLETE_HEAD, INCOMPLETE_BODY, LIVE] {
        for _ in 0..100 {
            held.push(connect(address, begun).await);
        }
        for path in ["/health/ready", "/health/live", "/openapi.json"] {
            answers(address, path).await;
        }
    }
    order.await.unwrap().expect(201);
    // Those that make room take a moment to close.
    let scrape = eventually("no more connections than the limit are open", async || {
        let scrape = Scrape::of(&app.management()).await;
        (1.0..=32.0).contains(&scrape.sum("http_connections", "")).then_some(scrape)
    })
    .await;
    assert!(scrape.sum("http_connections_closed_total", "reason=\"made_room\"") > 300.0);
    assert_eq!(scrape.sum("http_connections_max", ""), 32.0);
    drop(held);
    eventually("the connections that clients close are not counted any more", async || {
        (Scrape::of(&app.management()).await.sum("http_connections", "") <= 2.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_management_port_stays_open_to_new_clients() {
    let app = TestApp::start(Backend::Embedded).await;
    let address = app.addresses.management.unwrap();
    let mut held = Vec::new();
    for begun in [b"".as_slice(), INCOMPLETE_HEAD, INCOMPLETE_BODY, LIVE] {
        for _ in 0..150 {
            held.push(connect(address, begun).await);
        }
        for path in ["/health/live", "/metrics"] {
            answers(address, path).await;
        }
    }
}

#[tokio::test]
async fn connections_leave_descriptors_for_everything_else() {
    let data = tempfile::tempdir().unwrap();
    let settings =
        with(&common(), [("GLASSHOUSE_DATA_DIR", data.path().to_str().unwrap()), ("PATH", "/usr/bin:/bin")]);
    let limited = "ulimit -S -n 64; ulimit -H -n 256; exec \"$0\" demo";
    let mut process =
        Process::spawn(Command::new("sh").args(["-c", limited, env!("CARGO_BIN_EXE_glasshouse")]), &settings);
    let limit = process.logs("connection_limit_set").await;
    assert_eq!((&limit["descriptors"], &limit["configured"]), (&json!("256"), &json!(4096)), "{limit}");
    assert!((16..64).contains(&limit["connections"].as_u64().unwrap()), "{limit}");
    let owner = process.client("http_addr").await.sign_up("acme-2").await;
    let product = owner.add_product(100).await;
    let address = process.address("http_addr").await;
    let management = process.address("management_addr").await;
    let mut held = Vec::new();
    for begun in [b"".as_slice(), LIVE, INCOMPLETE_BODY] {
        for _ in 0..200 {
            held.push(connect(address.parse().unwrap(), begun).await);
        }
        answers(&address, "/health/ready").await;
        answers(&management, "/health/ready").await;
        answers(&management, "/metrics").await;
        owner.with_own_connections().order(&product, 1).await.expect(201);
    }
    for record in log_lines(&process.stdout()) {
        assert_ne!(record["level"], "ERROR", "{record}");
    }
}

#[tokio::test]
async fn clients_that_do_not_read_are_disconnected() {
    let app = TestApp::start(Backend::Embedded).await;
    let address = app.addresses.http.unwrap();
    let requests = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(8);
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(connect(address, requests.as_bytes()).await);
    }
    answers(address, "/health/ready").await;
    eventually("they are disconnected", async || {
        let scrape = Scrape::of(&app.management()).await;
        (scrape.sum("http_connections_closed_total", "reason=\"slow_reader\"") == 20.0).then_some(())
    })
    .await;
}
