//! Requests that are no HTTP: each is answered with a problem document, and none of them is an error of the server.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::command_line::common;
use crate::support::{Backend, Playground, Process, Scrape, TestApp, eventually, log_lines, on_both};

on_both!(a_malformed_chunk_is_answered_with_one_problem_document);

/// A response as it was read from the socket.
struct Raw {
    head: String,
    body: Value,
}

/// Sends bytes on a new connection and reads until the server closes it. There must be one response.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> Raw {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(bytes).await.unwrap();
    let shown = bytes[..bytes.len().min(120)].escape_ascii();
    let mut read = Vec::new();
    connection.read_to_end(&mut read).await.unwrap_or_else(|error| panic!("{error}: {shown}"));
    let read = String::from_utf8(read).unwrap();
    let (head, body) =
        read.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response to {shown}: {read:?}"));
    let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {shown}: {read}"));
    Raw { head: head.to_owned(), body }
}

impl Raw {
    fn header(&self, name: &str) -> &str {
        let of_name = |line: &'_ str| line.split_once(": ").is_some_and(|(header, _)| header == name);
        let mut lines = self.head.lines().filter(|line| of_name(line));
        let line = lines.next().unwrap_or_else(|| panic!("no {name}: {}", self.head));
        assert_eq!(lines.next(), None, "{name}: {}", self.head);
        line.split_once(": ").unwrap().1
    }

    #[track_caller]
    fn expect_problem(&self, status: u16, code: &str) {
        assert!(self.head.starts_with(&format!("HTTP/1.1 {status} ")), "{}: {}", self.head, self.body);
        assert_eq!((&self.body["status"], &self.body["code"]), (&status.into(), &code.into()));
        for field in ["type", "title", "detail"] {
            assert!(!self.body[field].as_str().unwrap().is_empty(), "{field}: {}", self.body);
        }
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("content-length"), self.body.to_string().len().to_string());
        assert_eq!(self.header("connection"), "close");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert!(self.header("date").ends_with(" GMT"));
    }
}

/// Bytes that are no HTTP/1.1 request, each with the status of the response.
fn malformed() -> Vec<(Vec<u8>, u16, &'static str)> {
    let with =
        |lines: &str| format!("POST /v1/auth/login HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n").into_bytes();
    let bad = [
        b"GARBAGE\r\n\r\n".to_vec(),
        b"\r\n\r\nGET\r\n\r\n".to_vec(),
        b"GET /\r\n\r\n".to_vec(),
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n".to_vec(),
        b"GET / HTTP/1.2\r\nHost: x\r\n\r\n".to_vec(),
        b"GET / http/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET \x7f HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"G\xffT / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"{\"json\": true}\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".to_vec(),
        with("two words: x"),
        with("no-colon"),
        with(": no name"),
        with("X: a\r\n folded"),
        with("X\0: a"),
        with("X: a\0b"),
        with("X\u{e9}: a"),
        with("Content-Length: x"),
        with("Content-Length: -1"),
        with("Content-Length: +1"),
        with("Content-Length: 1\r\nContent-Length: 2"),
        with("Content-Length: 99999999999999999999"),
        with("Content-Length: 3\r\nTransfer-Encoding: chunked"),
        with("Transfer-Encoding: gzip"),
        with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
        b"POST / HTTP/1.0\r\n\r\n".to_vec(),
    ];
    let bad = bad.into_iter().map(|bytes| (bytes, 400, "malformed_request"));
    let long = with(&format!("X: {}", "x".repeat(200_000)));
    let many = with(&"X: y\r\n".repeat(200));
    let path = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(140_000)).into_bytes();
    bad.chain([long, many, path].map(|bytes| (bytes, 431, "request_head_too_large"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_are_answered_with_problem_documents() {
    let app = TestApp::start(Backend::Embedded).await;
    let servers = [app.addresses.http, app.addresses.management, app.addresses.gateway];
    for (bytes, status, code) in malformed() {
        for address in servers {
            exchange(address.unwrap(), &bytes).await.expect_problem(status, code);
        }
    }
}

/// The responses to pipelined requests come first, whole and in order.
#[tokio::test]
async fn a_malformed_request_after_good_ones_ends_the_connection() {
    let app = TestApp::start(Backend::Embedded).await;
    let good = "GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut connection = TcpStream::connect(app.addresses.http.unwrap()).await.unwrap();
    connection.write_all(format!("{good}{good}nonsense\r\n\r\n{good}").as_bytes()).await.unwrap();
    let mut read = String::new();
    connection.read_to_string(&mut read).await.unwrap();
    let statuses: Vec<_> = read.match_indices("HTTP/1.1 ").map(|(at, _)| &read[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "200", "400"], "{read}");
    assert!(read.ends_with('}') && read.contains("\"code\":\"malformed_request\""), "{read}");
}

/// A response of the service may look like anything but a response of actix-http itself.
#[tokio::test]
async fn an_incomplete_head_is_answered_with_a_problem_document() {
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_HEADER_TIMEOUT_MS", "300")]).await;
    for head in ["", "G", "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let slow = exchange(app.addresses.http.unwrap(), head.as_bytes()).await;
        slow.expect_problem(408, "request_head_timed_out");
    }
}

async fn a_malformed_chunk_is_answered_with_one_problem_document(backend: Backend) {
    let play = Playground::new(backend).await;
    let token = format!("Authorization: Bearer {}\r\n", play.owner.token());
    for (path, authorization) in [("auth/login", ""), ("products", &*token), ("products", "")] {
        for chunks in [
            "x\r\n",
            "5\r\n{}\r\n\r\n",
            "-1\r\n",
            "fffffffffffffffff\r\n",
            "2;\0\r\n{}\r\n0\r\n\r\n",
            "2\n{}",
        ] {
            let request = format!(
                "POST /v1/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{authorization}\
                 Transfer-Encoding: chunked\r\n\r\n{chunks}"
            );
            let response = exchange(play.app.addresses.http.unwrap(), request.as_bytes()).await;
            assert_eq!(response.header("content-type"), "application/problem+json");
            // Without a token the request is rejected before its body is read.
            let status = if path == "products" && authorization.is_empty() { 401 } else { 400 };
            assert!(
                [400, status].map(Value::from).contains(&response.body["status"]),
                "{path} {chunks:?}: {}",
                response.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_request_is_logged_and_counted_and_no_error_of_the_server() {
    let mut gateway = Process::start(&["gateway"], &common());
    let address: SocketAddr = gateway.address("gateway_addr").await.parse().unwrap();
    let management = gateway.client("management_addr").await;
    let counted = async |status: u16| {
        Scrape::of(&management).await.sum("http_malformed_requests_total", &format!("status=\"{status}\""))
    };
    assert_eq!((counted(400).await, counted(431).await), (0.0, 0.0));
    let mut ids = Vec::new();
    for (bytes, ..) in malformed() {
        let response = exchange(address, &bytes).await;
        assert_eq!(response.body["request_id"], response.header("x-request-id"));
        ids.push((response.body["request_id"].clone(), response.body["status"].clone()));
    }
    let records = eventually("all are logged", async || {
        let records = log_lines(&gateway.stdout());
        (records.iter().filter(|record| record["message"] == "malformed_request").count() == ids.len())
            .then_some(records)
    })
    .await;
    for (id, status) in &ids {
        let record = records.iter().find(|record| record["request_id"] == *id).unwrap();
        assert_eq!((&record["level"], &record["status_code"]), (&Value::from("INFO"), status));
    }
    let above_info: Vec<_> =
        records.iter().filter(|record| record["level"] == "ERROR" || record["level"] == "WARN").collect();
    assert_eq!(above_info, Vec::<&Value>::new());
    let total = ids.len() as f64;
    assert_eq!(counted(400).await + counted(431).await, total);
}
