//! Bodies that are slow, huge, or inflate to something huge: each is refused before it takes anything from others.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::command_line::{common, with};
use crate::support::{Backend, PASSWORD, Process, Response, Scrape, TestApp, eventually, key, log_lines};

const MEBIBYTE: usize = 1024 * 1024;

/// The codings of a body that inflates.
const CODINGS: [&str; 2] = ["gzip", "deflate"];

fn packed(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    match coding {
        "gzip" => GzEncoder::new(&mut packed, Compression::best()).write_all(body),
        "deflate" => ZlibEncoder::new(&mut packed, Compression::best()).write_all(body),
        _ => Write::write_all(&mut packed, body),
    }
    .unwrap();
    packed
}

fn login() -> Value {
    json!({ "tenant": "nobody", "email": "nobody@nobody.example", "password": PASSWORD })
}

/// The head of a request whose body is JSON.
fn head(path: &str, framing: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{framing}\r\n\r\n")
}

async fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(bytes).await.unwrap();
    connection
}

/// The status and the problem document of the response on a connection.
async fn response(mut connection: TcpStream) -> (u16, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap_or_else(|_| panic!("no response: {head:?}")));
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut body = vec![0; header("content-length: ").parse().unwrap()];
    connection.read_exact(&mut body).await.unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_body_counts_as_it_inflates_in_every_coding() {
    let app = TestApp::start(Backend::Embedded).await;
    let owner = app.new_tenant().await;
    let product = |name: &str| {
        let product = json!({ "sku": key(), "name": name, "price_minor": 100, "currency": "USD" });
        product.to_string().into_bytes()
    };
    let send = async |coding: &'static str, body: Vec<u8>| {
        let request = owner.request(Method::POST, "/v1/products").header("Content-Type", "application/json");
        Response::of(request.header("Content-Encoding", coding).body(body)).await
    };
    for coding in ["identity", "gzip", "deflate", "GZip"] {
        let known = coding.to_lowercase();
        send(coding, packed(&known, &product("Mug"))).await.expect(201);
        let padded = |size: usize| [product("Mug"), vec![b' '; size]].concat();
        send(coding, packed(&known, &padded(60_000))).await.expect(201);
        for size in [65_536, MEBIBYTE] {
            let refused = send(coding, packed(&known, &padded(size))).await;
            let refused = refused.expect_problem(413, "body_too_large");
            assert_eq!(refused["detail"], "the body must not exceed 65536 bytes", "{coding}");
        }
    }
    for coding in CODINGS {
        let whole = packed(coding, &product("Mug"));
        for wrong in [product("Mug"), whole[..whole.len() - 5].to_vec(), [whole, product("Mug")].concat()] {
            send(coding, wrong).await.expect_problem(400, "unreadable_body");
        }
    }
    for coding in ["br", "zstd", "x-gzip", "compress", "nothing", "gzip, gzip", "gzip;q=1"] {
        let refused = send(coding, product("Mug")).await;
        assert_eq!(refused.header("accept-encoding"), "gzip, deflate");
        refused.expect_problem(415, "unsupported_content_encoding");
    }
}

#[tokio::test]
async fn bodies_that_inflate_to_gigabytes_together_take_no_memory() {
    let data = tempfile::tempdir().unwrap();
    let settings = with(&common(), [("GLASSHOUSE_DATA_DIR", data.path().to_str().unwrap())]);
    let mut process = Process::start(&["demo"], &settings);
    let client = process.client("http_addr").await;
    client.get("/health/ready").await.expect(200);
    let before = process.peak_memory();
    for coding in CODINGS {
        let bomb = packed(coding, &vec![0; 62 * MEBIBYTE]);
        assert!(bomb.len() < 65_536, "{} bytes on the wire", bomb.len());
        for path in ["/v1/auth/login", "/v1/tenants", "/v1/orders", "/nowhere"] {
            let bombs = (0..40).map(|_| {
                let request = client.request(Method::POST, path).header("Content-Type", "application/json");
                Response::of(request.header("Content-Encoding", coding).body(bomb.clone()))
            });
            for refused in join_all(bombs).await {
                refused.expect_problem(413, "body_too_large");
            }
        }
    }
    let grown = process.peak_memory() - before;
    assert!(grown < 64 * MEBIBYTE, "{} MiB", grown / MEBIBYTE);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_takes_no_place_and_ends_in_408() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().to_str().unwrap();
    let limits = [("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", "2"), ("GLASSHOUSE_BODY_TIMEOUT_MS", "2000")];
    let settings = with(&with(&common(), limits), [("GLASSHOUSE_DATA_DIR", directory)]);
    let mut process = Process::start(&["demo"], &settings);
    let client = process.client("http_addr").await;
    let address: SocketAddr = process.address("http_addr").await.parse().unwrap();
    let mut slow = Vec::new();
    for path in ["/v1/auth/login", "/v1/tenants", "/v1/orders", "/nowhere"] {
        for begun in [
            head(path, "Content-Length: 100") + "{",
            head(path, "Content-Length: 100"),
            head(path, "Transfer-Encoding: chunked") + "1\r\n{\r\n",
            head(path, "Transfer-Encoding: chunked"),
        ] {
            slow.push(connect(address, begun.as_bytes()).await);
        }
    }
    for _ in 0..10 {
        client.post("/v1/auth/login", login()).await.expect_problem(401, "wrong_credentials");
        client.get("/v1/users/me").await.expect_problem(401, "not_logged_in");
    }
    for connection in slow {
        let (status, problem) = response(connection).await;
        assert_eq!((status, problem["code"].as_str()), (408, Some("body_timed_out")), "{problem}");
        assert!(problem["request_id"].is_string(), "{problem}");
    }
    for record in log_lines(&process.stdout()) {
        assert!(record["level"] != "ERROR" && record["message"] != "unhandled_exception", "{record}");
    }
    let management = process.client("management_addr").await;
    let scrape = Scrape::of(&management).await;
    assert_eq!(scrape.sum("http_requests_total", "status=\"408\""), 16.0);
    assert_eq!(scrape.sum("load_shed_total", ""), 0.0);
}

#[tokio::test]
async fn a_body_that_drips_ends_in_408_as_well() {
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_BODY_TIMEOUT_MS", "500")]).await;
    let begun = head("/v1/auth/login", "Content-Length: 60000");
    let (mut reader, mut writer) = connect(app.addresses.http.unwrap(), begun.as_bytes()).await.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut status = [0; 12];
    reader.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 408");
    let _ = reader.read_to_end(&mut Vec::new()).await;
    drip.await.unwrap();
}

#[tokio::test]
async fn incomplete_bodies_give_their_memory_up_to_new_requests() {
    // Room for one body of 64 KiB and a decoder.
    let limits = [("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", "1"), ("GLASSHOUSE_BODY_TIMEOUT_MS", "5000")];
    let app = TestApp::start_with(Backend::Embedded, &limits).await;
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let begun = head("/v1/auth/login", "Content-Length: 60000") + &" ".repeat(59_999);
        stalled.push(connect(app.addresses.http.unwrap(), begun.as_bytes()).await);
    }
    // One that arrives during a login would be rejected for want of a place.
    eventually("all bodies are being received", async || {
        let scrape = Scrape::of(&app.management()).await;
        let (received, shed) = (scrape.sum("http_requests_in_flight", ""), scrape.sum("load_shed_total", ""));
        (received + shed >= 4.0).then_some(())
    })
    .await;
    for _ in 0..3 {
        let body = login().to_string() + &" ".repeat(60_000);
        let request = app.anonymous().request(Method::POST, "/v1/auth/login");
        let request = request.header("Content-Type", "application/json").body(body);
        Response::of(request).await.expect_problem(401, "wrong_credentials");
    }
    let ends = join_all(stalled.into_iter().map(response)).await;
    let shed =
        ends.iter().filter(|(status, problem)| *status == 503 && problem["code"] == "overloaded").count();
    assert!(shed >= 2 && ends.iter().all(|(status, _)| matches!(status, 408 | 503)), "{ends:?}");
    let scrape = Scrape::of(&app.management()).await;
    assert!(scrape.sum("load_shed_total", "reason=\"memory\"") >= 2.0);
}

#[tokio::test]
async fn a_body_that_is_arriving_at_the_shutdown_is_still_answered() {
    let mut app = TestApp::start(Backend::Embedded).await;
    let body = login().to_string();
    let begun = head("/v1/auth/login", &format!("Content-Length: {}", body.len())) + &body[..10];
    let mut connection = connect(app.addresses.http.unwrap(), begun.as_bytes()).await;
    eventually("the body is being received", async || {
        let scrape = Scrape::of(&app.management()).await;
        (scrape.sum("http_requests_in_flight", "") > 0.0).then_some(())
    })
    .await;
    app.begin_shutdown();
    eventually("the process is draining", async || {
        let ready = app.management().request(Method::GET, "/health/ready").send().await;
        ready.is_ok_and(|response| response.status() == 503).then_some(())
    })
    .await;
    connection.write_all(&body.as_bytes()[10..]).await.unwrap();
    let (status, problem) = response(connection).await;
    assert_eq!((status, problem["code"].as_str()), (401, Some("wrong_credentials")), "{problem}");
}
