//! Overload: the limit of in-flight requests adapts to the database, and what is above it is rejected at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::command_line::{common, with};
use crate::support::{
    Backend, Client, Process, Response, Scrape, TestApp, TestDatabase, eventually, header, log_lines, on_both,
};

on_both!(a_rejected_request_costs_a_response_and_two_counters, a_body_is_not_read_for_a_rejection);

async fn limit(management: &Client) -> f64 {
    Scrape::of(management).await.sum("http_requests_in_flight_limit", "")
}

/// An application whose only place is taken by an order, until the order is dropped.
async fn full(backend: Backend) -> (TestApp, Client, tokio::task::JoinHandle<Response>) {
    let settings = [
        ("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", "1"),
        ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "60000"),
        ("GLASSHOUSE_REQUEST_TIMEOUT_MS", "60000"),
    ];
    let app = TestApp::start_with(backend, &settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "latency_ms": 50_000 })).await;
    let order = owner.spawn_order(&product);
    eventually("the order is at the gateway", async || {
        (app.database.number("SELECT count(*) AS n FROM orders WHERE state = 'pending'").await == 1)
            .then_some(())
    })
    .await;
    (app, owner, order)
}

async fn a_rejected_request_costs_a_response_and_two_counters(backend: Backend) {
    const REJECTED: usize = 5;
    let (app, owner, order) = full(backend).await;
    let before = Scrape::of(&app.management()).await;
    for n in 0..REJECTED {
        let request = owner.request(Method::GET, "/v1/users/me").header("x-request-id", format!("mine-{n}"));
        let rejected = Response::of(request).await;
        assert_eq!((rejected.header("retry-after"), rejected.header("connection")), ("1", ""));
        assert_eq!(rejected.header("x-request-id"), format!("mine-{n}"));
        assert_eq!(rejected.header("cache-control"), "no-store");
        assert_eq!(rejected.header("x-content-type-options"), "nosniff");
        assert_eq!(rejected["request_id"], format!("mine-{n}"));
        rejected.expect_problem(503, "overloaded");
    }
    let generated = owner.get("/v1/products").await;
    assert!(uuid::Uuid::parse_str(generated.header("x-request-id")).is_ok(), "{generated:?}");
    let head = owner.send(Method::HEAD, "/v1/products", None).await;
    assert_eq!((head.status.as_u16(), head.body), (503, json!("")));
    app.anonymous().get("/health/ready").await.expect(200);

    let after = Scrape::of(&app.management()).await;
    let rise = |metric: &str, labels: &str| after.sum(metric, labels) - before.sum(metric, labels);
    assert_eq!(rise("load_shed_total", r#"reason="concurrency""#), REJECTED as f64 + 2.0);
    let rejected = r#"endpoint="/v1/users/me",method="GET",status="503""#;
    assert_eq!(rise("http_requests_total", rejected), REJECTED as f64);
    assert_eq!(rise("http_request_duration_seconds_count", r#"endpoint="/v1/users/me""#), 0.0);
    order.abort();
}

async fn a_body_is_not_read_for_a_rejection(backend: Backend) {
    let (app, _owner, order) = full(backend).await;
    let mut connection = TcpStream::connect(app.addresses.http.unwrap()).await.unwrap();
    let head = "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 60000\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    // The body timeout is 10 seconds.
    tokio::time::timeout(Duration::from_secs(5), connection.read_to_end(&mut response))
        .await
        .unwrap()
        .unwrap();
    let response = String::from_utf8(response).unwrap();
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    assert_eq!(header(&response, "connection"), Some("close"), "the body is not read");
    order.abort();
}

/// Requests one after the other, until they are stopped.
struct Crowd {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
}

impl Crowd {
    fn start(owner: &Client, clients: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let client = || {
            let (owner, stop) = (owner.clone(), stop.clone());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    let response = owner.get("/v1/products").await;
                    match response.status.as_u16() {
                        200 => {}
                        503 => assert_eq!(response.header("retry-after"), "1", "{response:?}"),
                        _ => panic!("{response:?}"),
                    }
                }
            }
        };
        Self { clients: (0..clients).map(|_| client()).collect(), stop }
    }

    async fn leaves(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
    }
}

/// While nothing gets a connection the limit sinks to what keeps the pool busy, and afterwards it rises again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_follows_the_queue_for_the_database() {
    let settings = [
        ("DATABASE_POOL_SIZE", "2"),
        ("DATABASE_ACQUIRE_TIMEOUT_MS", "1000"),
        ("GLASSHOUSE_QUEUE_TARGET_MS", "200"),
        ("GLASSHOUSE_FAULTS_ENABLED", "true"),
        ("GLASSHOUSE_OUTBOX_POLL_MS", "600000"),
        ("GLASSHOUSE_RECONCILE_POLL_MS", "600000"),
    ];
    let app = TestApp::start_with(Backend::Servers, &settings).await;
    let (owner, management) = (app.new_tenant().await, app.management());
    assert_eq!(limit(&management).await, 512.0);
    let fault = json!({ "held_connections": { "count": 2, "seconds": 600 } });
    management.send(Method::PUT, "/faults", Some(fault)).await.expect(200);
    let crowd = Crowd::start(&owner, 30);
    eventually("the limit is two for each connection", async || {
        (limit(&management).await == 4.0).then_some(())
    })
    .await;
    owner.get("/v1/users/me").await.expect_problem(503, "overloaded");
    crowd.leaves().await;

    management.send(Method::DELETE, "/faults", None).await;
    let crowd = Crowd::start(&owner, 8);
    eventually("the limit rises", async || (limit(&management).await > 8.0).then_some(())).await;
    crowd.leaves().await;
    owner.get("/v1/users/me").await.expect(200);
}

/// A flood of rejections is a few log records, with the number of rejections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejections_are_reported_once_a_second() {
    const REJECTED: usize = 20;
    let database = TestDatabase::create(Backend::Embedded).await;
    let settings = with(
        &common(),
        [
            ("DATABASE_URL", &*database.service_url()),
            ("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", "1"),
            ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "60000"),
            ("GLASSHOUSE_REQUEST_TIMEOUT_MS", "60000"),
            ("GLASSHOUSE_SHUTDOWN_GRACE_SECONDS", "1"),
        ],
    );
    let mut demo = Process::start(&["demo"], &settings);
    let owner = demo.client("http_addr").await.sign_up("flood").await;
    let product = owner.add_product(10).await;
    let behavior = json!({ "latency_ms": 50_000 });
    demo.client("gateway_addr").await.send(Method::PUT, "/control", Some(behavior)).await.expect(200);
    let order = owner.spawn_order(&product);
    eventually("the only place is taken", async || {
        (database.number("SELECT count(*) AS n FROM orders WHERE state = 'pending'").await == 1).then_some(())
    })
    .await;
    let begun = std::time::Instant::now();
    for _ in 0..REJECTED {
        owner.get("/v1/users/me").await.expect_problem(503, "overloaded");
    }
    let most = 2 + begun.elapsed().as_secs();
    let lines = eventually("the rejections are reported", async || {
        let lines = log_lines(&demo.stdout());
        lines.iter().any(|line| line["message"] == "load_shed").then_some(lines)
    })
    .await;
    let reports: Vec<_> = lines.iter().filter(|line| line["message"] == "load_shed").collect();
    assert!((1..=most).contains(&(reports.len() as u64)), "{reports:?}");
    assert!(reports.iter().all(|report| report["level"] == "WARN" && report["refused"].as_u64() > Some(0)));
    let completed =
        |line: &&serde_json::Value| line["message"] == "request_completed" && line["status_code"] == 503;
    assert_eq!(lines.iter().filter(completed).count(), 0);
    order.abort();
}
