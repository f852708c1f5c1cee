//! DNS rebinding: a page in a browser of an operator must not reach the management interface, or the simulator's
//! `/control`, under a name of its own.

use reqwest::Method;
use reqwest::header::HOST;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Backend, Client, Response, TestApp};

const FOREIGN: [&str; 14] = [
    "evil.example",
    "evil.example:9000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil-localhost",
    "127.0.0.1@evil.example",
    "203.0.113.1",
    "0.0.0.0:9000",
    "[2001:db8::1]:9000",
    "api",
    "127.1",
    "2130706433",
    "localhost,evil.example",
    "localhost:x",
];

async fn ask(client: &Client, method: &Method, path: &str, host: &str) -> Response {
    let request = client.request(method.clone(), path).header(HOST, host);
    Response::of(if *method == Method::PUT { request.json(&json!({})) } else { request }).await
}

#[tokio::test]
async fn a_foreign_host_is_rejected() {
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_FAULTS_ENABLED", "true")]).await;
    let (management, gateway) = (app.management(), app.gateway());
    let guarded = [
        (&management, Method::GET, "/faults"),
        (&management, Method::PUT, "/faults"),
        (&management, Method::DELETE, "/faults"),
        (&management, Method::GET, "/metrics"),
        (&management, Method::GET, "/debug/pprof/profile?seconds=0"),
        (&management, Method::GET, "/nope"),
        (&gateway, Method::GET, "/control"),
        (&gateway, Method::PUT, "/control"),
        (&gateway, Method::DELETE, "/control"),
    ];
    for (client, method, path) in &guarded {
        for host in FOREIGN {
            let rejected = ask(client, method, path, host).await;
            assert_eq!(rejected.status, 421, "{method} {path} {host}: {rejected:?}");
            assert_eq!(rejected.header("content-type"), "application/problem+json");
            assert_eq!(rejected["code"], "unknown_host");
            assert!(rejected["detail"].as_str().unwrap().contains("GLASSHOUSE_MANAGEMENT_ALLOWED_HOSTS"));
        }
        for host in
            ["localhost", "LOCALHOST:9000", "localhost.", "127.0.0.1", "127.0.0.9:80", "[::1]", "[::1]:9000"]
        {
            let accepted = ask(client, method, path, host).await;
            assert_ne!(accepted.status, 421, "{method} {path} {host}: {accepted:?}");
        }
    }
    // What a page may say about its host does not count, and neither does the name in an absolute target.
    let request = management.request(Method::GET, "/faults").header(HOST, "evil.example");
    let forwarded = request.header("X-Forwarded-Host", "localhost").header("Forwarded", "host=localhost");
    assert_eq!(Response::of(forwarded).await.status, 421);
    for (target, host) in
        [("http://evil.example/faults", "localhost"), ("http://localhost/faults", "evil.example")]
    {
        let mut connection = TcpStream::connect(app.addresses.management.unwrap()).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 421 "), "{response}");
    }
}

#[tokio::test]
async fn health_checks_and_charges_answer_under_any_name() {
    let app = TestApp::start(Backend::Embedded).await;
    for host in FOREIGN {
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(ask(&app.management(), &Method::GET, path, host).await.status, 200);
            assert_eq!(ask(&app.anonymous(), &Method::GET, path, host).await.status, 200);
        }
        assert_eq!(ask(&app.gateway(), &Method::GET, "/v1/charges", host).await.status, 200);
    }
}

#[tokio::test]
async fn configured_names_are_accepted() {
    let settings = [("GLASSHOUSE_MANAGEMENT_ALLOWED_HOSTS", "api, Ops.example.com ,")];
    let app = TestApp::start_with(Backend::Embedded, &settings).await;
    for (host, status) in [
        ("api:9000", 200),
        ("API", 200),
        ("ops.example.com", 200),
        ("ops.example.com.:80", 200),
        ("localhost", 200),
        ("example.com", 421),
        ("api.evil.example", 421),
        ("", 421),
    ] {
        assert_eq!(ask(&app.management(), &Method::GET, "/metrics", host).await.status, status, "{host}");
        assert_eq!(ask(&app.gateway(), &Method::GET, "/control", host).await.status, status, "{host}");
    }
}

/// A process that listens on all addresses cannot know them: an address in `Host` is none that a page could have taken
/// over.
#[tokio::test]
async fn a_process_that_listens_on_all_addresses_accepts_addresses() {
    let settings = [("GLASSHOUSE_MANAGEMENT_ADDR", "0.0.0.0:0"), ("GLASSHOUSE_GATEWAY_ADDR", "0.0.0.0:0")];
    let app = TestApp::start_with(Backend::Embedded, &settings).await;
    for (host, status) in
        [("192.0.2.7:9000", 200), ("[2001:db8::1]", 200), ("127.0.0.1", 200), ("evil.example", 421)]
    {
        assert_eq!(ask(&app.management(), &Method::GET, "/metrics", host).await.status, status, "{host}");
        assert_eq!(ask(&app.gateway(), &Method::GET, "/control", host).await.status, status, "{host}");
    }
}
