//! Methods: every route answers HEAD as GET, rejects the methods that it does not have with 405 and `Allow`, and unknown
//! ones with 501.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Backend, Client, Playground, Response, TestApp, on_both, operations};

on_both!(
    head_is_answered_as_get_without_a_body,
    every_method_that_a_route_does_not_have_is_rejected,
    a_method_that_nobody_knows_is_not_implemented,
);

/// The methods of RFC 9110 and RFC 5789, and QUERY.
const KNOWN: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];

/// The routes of the public interface that are not in the OpenAPI document. All of them are read with GET.
const UNDESCRIBED: [&str; 6] =
    ["/health/live", "/health/ready", "/openapi.json", "/docs", "/docs/", "/docs/swagger-ui.css"];

/// The routes of the management interface with their methods. A recording of a profile takes seconds: only its
/// rejections are tried.
const MANAGEMENT: [(&str, &str); 6] = [
    ("/health/live", "GET, HEAD"),
    ("/health/ready", "GET, HEAD"),
    ("/metrics", "GET, HEAD"),
    ("/debug/pprof/flamegraph?seconds=0", "GET, HEAD"),
    ("/debug/pprof/profile?seconds=0", "GET, HEAD"),
    ("/faults", "DELETE, GET, HEAD, PUT"),
];

/// The paths of the public interface with their methods, as `Allow` lists them.
fn public_routes(id: &str) -> Vec<(String, String)> {
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in operations().keys() {
        let (method, path) = operation.split_once(' ').unwrap();
        let methods = methods.entry(path.replace("{id}", id)).or_default();
        methods.insert(method.to_owned());
        if method == "GET" {
            methods.insert("HEAD".to_owned());
        }
    }
    let described =
        methods.into_iter().map(|(path, methods)| (path, methods.into_iter().collect::<Vec<_>>().join(", ")));
    described.chain(UNDESCRIBED.map(|path| (path.to_owned(), "GET, HEAD".to_owned()))).collect()
}

/// The headers that must be equal for HEAD and GET: all but those that differ for each request.
fn lasting(headers: &HeaderMap) -> BTreeMap<&str, &str> {
    let of_request =
        ["date", "x-request-id", "traceparent", "traceresponse", "ratelimit-remaining", "ratelimit-reset"];
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    headers.filter(|(name, _)| !of_request.contains(name)).collect()
}

async fn assert_head_is_as_get(client: &Client, path: &str, accepts: &str, has_stable_length: bool) {
    let ask = |method| client.request(method, path).header(ACCEPT_ENCODING, accepts);
    let get = ask(Method::GET).send().await.unwrap();
    let (status, mut headers) = (get.status(), get.headers().clone());
    get.bytes().await.unwrap();
    let head = ask(Method::HEAD).send().await.unwrap();
    let mut same = head.headers().clone();
    if !has_stable_length {
        headers.remove("content-length");
        same.remove("content-length");
    }
    // A client that asks for HEAD reads no body: what its headers announce is not sent.
    headers.remove("transfer-encoding");
    same.remove("transfer-encoding");
    assert_eq!(
        (head.status(), lasting(&same)),
        (status, lasting(&headers)),
        "HEAD {path} with Accept-Encoding: {accepts}"
    );
    assert!(head.bytes().await.unwrap().is_empty());
}

async fn head_is_answered_as_get_without_a_body(backend: Backend) {
    let play = Playground::new(backend).await;
    let order = play.owner.order(&play.product, 1).await.expect(201)["id"].as_str().unwrap().to_owned();
    let user = play.owner.get("/v1/users/me").await["id"].as_str().unwrap().to_owned();
    let readable = operations().into_keys().filter_map(|operation| {
        let path = operation.strip_prefix("GET ")?.to_owned();
        let id = match path.as_str() {
            path if path.starts_with("/v1/users") => &user,
            path if path.starts_with("/v1/products") => &play.product,
            _ => &order,
        };
        let query = if path == "/v1/reports/revenue" { "?from=2026-01-01&to=2026-01-31" } else { "" };
        Some(format!("{}{query}", path.replace("{id}", id)))
    });
    let missing = ["/nope".to_owned(), format!("/v1/orders/{user}"), "/v1/orders?limit=x".to_owned()];
    let errors = missing.into_iter().chain(["/v1/auth/login".to_owned()]);
    for path in readable.chain(UNDESCRIBED.map(str::to_owned)).chain(errors) {
        for accepts in ["identity", "gzip"] {
            assert_head_is_as_get(&play.owner, &path, accepts, true).await;
            assert_head_is_as_get(&play.app.anonymous(), &path, accepts, true).await;
        }
    }
    for (path, _) in MANAGEMENT {
        let has_stable_length = path != "/metrics";
        assert_head_is_as_get(&play.app.management(), path, "identity", has_stable_length).await;
    }
    let length = play.app.management().send(Method::HEAD, "/metrics", None).await;
    assert!(length.header("content-length").parse::<u32>().unwrap() > 1000, "{length:?}");
}

/// The client reads the responses to pipelined requests one after the other, so each must have exactly the body that
/// its request allows.
#[tokio::test]
async fn a_pipelined_head_has_no_body() {
    let app = TestApp::start(Backend::Embedded).await;
    let owner = app.new_tenant().await;
    let ask = |method: &str, path: &str, more: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{more}\r\n",
            owner.token()
        )
    };
    let requests = [
        ask("HEAD", "/v1/users/me", ""),
        ask("GET", "/health/ready", ""),
        ask("HEAD", "/nope", ""),
        ask("GET", "/v1/products", "Connection: close\r\n"),
    ];
    let mut connection = TcpStream::connect(app.addresses.http.unwrap()).await.unwrap();
    connection.write_all(requests.concat().as_bytes()).await.unwrap();
    let mut read = String::new();
    connection.read_to_string(&mut read).await.unwrap();
    for (status, body) in
        [(200, None), (200, Some("{\"status\":\"ready\"")), (404, None), (200, Some("{\"items\":[]"))]
    {
        let (head, rest) = read.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{read}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length = if body.is_some() { length.parse().unwrap() } else { 0 };
        assert!(rest.starts_with(body.unwrap_or_default()), "{read}");
        read = rest[length..].to_owned();
    }
    assert_eq!(read, "");
}

async fn assert_other_methods_are_rejected(client: &Client, path: &str, allowed: &str) {
    let has: Vec<_> = allowed.split(", ").collect();
    for method in KNOWN.into_iter().filter(|method| !has.contains(method)) {
        // reqwest sends CONNECT to a proxy only, not to a path.
        if method == "CONNECT" {
            continue;
        }
        let request = client.request(method.parse().unwrap(), path);
        let response = Response::of(request).await;
        assert_eq!(response.status, 405, "{method} {path}: {response:?}");
        assert_eq!(response.header("allow"), allowed, "{method} {path}");
        assert_eq!(response.header("content-type"), "application/problem+json", "{method} {path}");
        if method != "HEAD" {
            assert_eq!(response["code"], "method_not_allowed", "{method} {path}: {}", response.body);
            assert!(response["detail"].as_str().unwrap().contains(allowed), "{}", response.body);
        }
    }
}

async fn every_method_that_a_route_does_not_have_is_rejected(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_FAULTS_ENABLED", "true")]).await;
    let owner = app.new_tenant().await;
    for (path, allowed) in public_routes(&uuid::Uuid::now_v7().to_string()) {
        for client in [&owner, &app.anonymous()] {
            assert_other_methods_are_rejected(client, &path, &allowed).await;
        }
    }
    for (path, allowed) in MANAGEMENT {
        assert_other_methods_are_rejected(&app.management(), path, allowed).await;
    }
    for (path, status) in [("/v1/users/me", 405), ("/nope", 404), ("example.com:80", 404)] {
        let response = connect(&app, path).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "CONNECT {path}: {response}");
    }
    assert!(connect(&app, "/v1/users/me").await.contains("\r\nallow: GET, HEAD\r\n"));
}

/// The response to CONNECT.
async fn connect(app: &TestApp, target: &str) -> String {
    send_head(app, &format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

/// The response to a request after which the client keeps the connection open.
async fn send_head(app: &TestApp, head: &str) -> String {
    let mut connection = TcpStream::connect(app.addresses.http.unwrap()).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    response
}

async fn a_method_that_nobody_knows_is_not_implemented(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    for method in ["FIND", "get", "Post", "ZZ1", "PROPFIND", "M-SEARCH"] {
        for path in
            ["/v1/users/me", "/v1/orders", "/health/live", "/docs", "/docs/", "/openapi.json", "/nope"]
        {
            for client in [&owner, &app.anonymous()] {
                let request = client.request(method.parse().unwrap(), path);
                let rejected = Response::of(request).await.expect_problem(501, "unknown_method");
                assert!(rejected["detail"].as_str().unwrap().contains("GET"), "{rejected}");
                assert!(!rejected["detail"].as_str().unwrap().contains(method), "{rejected}");
            }
        }
        for (path, _) in MANAGEMENT {
            let request = app.management().request(method.parse().unwrap(), path);
            let response = Response::of(request).await;
            assert_eq!((response.status.as_u16(), &response["code"]), (501, &Value::from("unknown_method")));
        }
    }
}

/// A server may ignore a header `Upgrade` (RFC 9110, section 7.8). What follows the head is no body.
#[tokio::test]
async fn an_upgrade_is_ignored() {
    let app = TestApp::start(Backend::Embedded).await;
    for protocol in ["websocket", "h2c"] {
        let upgrade = format!("Connection: Upgrade, close\r\nUpgrade: {protocol}\r\n");
        let head = format!("GET /health/live HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n");
        let response = send_head(&app, &head).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{protocol}: {response}");
    }
}

#[tokio::test]
async fn an_unknown_route_of_the_management_interface_is_a_problem_document() {
    let settings = [("GLASSHOUSE_CONSOLE", "false"), ("GLASSHOUSE_FAULTS_ENABLED", "false")];
    let app = TestApp::start_with(Backend::Embedded, &settings).await;
    for path in ["/", "/faults", "/metric", "/debug", "/debug/pprof", "/debug/pprof/heap", "/v1/users/me"] {
        let response = app.management().get(path).await;
        assert_eq!(response.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(
            (response.status.as_u16(), &response["code"]),
            (404, &Value::from("unknown_route")),
            "{path}"
        );
    }
}
