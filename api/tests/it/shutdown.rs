//! Graceful shutdown: no request is dropped, and the grace period is enforced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement, TransactionTrait};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::command_line::{Stack, common, with};
use crate::support::{Backend, Client, Process, Response, TestApp, TestDatabase, connect, eventually};

const CLIENTS: usize = 16;
/// Long enough for a polling client to notice, even on a busy machine.
const DRAIN_MS: &str = "500";
/// Longer than the rest of the drain, so that requests finish after it.
const GATEWAY_LATENCY_MS: u64 = 300;

/// Clients behind a load balancer: they place orders in a loop over persistent connections, and stop once the
/// process is not ready.
struct Load {
    clients: Vec<JoinHandle<usize>>,
    management: Client,
    stop: Arc<AtomicBool>,
}

impl Load {
    async fn start(owner: &Client, product: &str, management: Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let order =
            |n| tokio::spawn(orders(owner.with_own_connections(), product.to_owned(), n, stop.clone()));
        let clients = (0..CLIENTS).map(order).collect();
        eventually("orders are in flight", async || {
            let page = owner.get("/v1/orders?status=pending").await.expect(200);
            (page["items"].as_array().unwrap().len() >= CLIENTS / 4).then_some(())
        })
        .await;
        Self { clients, management, stop }
    }

    /// Removes the process from the load balancer, and lets the clients finish. A client panics if a request gets
    /// no response.
    async fn ends(self) {
        eventually("readiness turns 503 before the process stops accepting requests", async || {
            let response = self.management.get("/health/ready").await;
            (response.status == 503).then(|| assert_eq!(response["status"], "not_ready"))
        })
        .await;
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            assert!(client.await.unwrap() > 0);
        }
    }
}

/// Sends requests sequentially. Returns their number.
async fn orders(owner: Client, product: String, first: usize, stop: Arc<AtomicBool>) -> usize {
    let mut completed = 0;
    while !stop.load(Ordering::SeqCst) {
        if (first + completed).is_multiple_of(2) {
            owner.order(&product, 1).await.expect(201);
        } else {
            owner.get("/v1/products").await.expect(200);
        }
        completed += 1;
    }
    completed
}

async fn ends_well(process: Process, started: Instant) {
    let ended = process.ends().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("application_stopped"));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_completes_every_request_under_load_before_it_stops() {
    for signal in ["TERM", "INT", "TERM"] {
        let mut stack = Stack::start([("GLASSHOUSE_SHUTDOWN_DRAIN_MS", DRAIN_MS)]).await;
        let (owner, product, gateway) = stack.shop().await;
        slow_down(&gateway, GATEWAY_LATENCY_MS).await;
        let load = Load::start(&owner, &product, stack.serve.client("management_addr").await).await;
        let started = Instant::now();
        stack.serve.signal(signal);
        load.ends().await;
        ends_well(stack.serve, started).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_completes_every_request_under_load_before_it_stops() {
    for signal in ["TERM", "INT", "TERM"] {
        let data = tempfile::tempdir().unwrap();
        let directory = data.path().to_str().unwrap();
        let settings =
            with(&common(), [("GLASSHOUSE_DATA_DIR", directory), ("GLASSHOUSE_SHUTDOWN_DRAIN_MS", DRAIN_MS)]);
        let mut demo = Process::start(&[], &settings);
        let owner = demo.client("http_addr").await.sign_up("load").await;
        let product = owner.add_product(100_000).await;
        slow_down(&demo.client("gateway_addr").await, GATEWAY_LATENCY_MS).await;
        let load = Load::start(&owner, &product, demo.client("management_addr").await).await;
        let started = Instant::now();
        demo.signal(signal);
        load.ends().await;
        ends_well(demo, started).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_during_the_drain_close_their_connection() {
    let mut app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_SHUTDOWN_DRAIN_MS", "60000")]).await;
    assert_eq!(app.anonymous().get("/health/live").await.header("connection"), "");
    app.begin_shutdown();
    let response = eventually("readiness turns 503", async || {
        let response = app.anonymous().get("/health/ready").await;
        (response.status == 503).then_some(response)
    })
    .await;
    assert_eq!(response.header("connection"), "close");
    app.new_tenant().await;
}

async fn slow_down(gateway: &Client, latency_ms: u64) {
    let behavior = json!({ "latency_ms": latency_ms });
    gateway.send(Method::PUT, "/control", Some(behavior)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_finishes_its_item() {
    let mut stack = Stack::start([("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", "1")]).await;
    let (owner, product, gateway) = stack.shop().await;
    gateway.send(Method::PUT, "/control", Some(json!({ "error_rate": 1.0 }))).await.expect(200);
    let order = owner.order(&product, 1).await.expect(202);
    slow_down(&gateway, 1500).await;
    // A lease lasts 30 seconds.
    let leased = "SELECT count(*) AS n FROM payments WHERE reconcile_at > now() + interval '20 seconds'";
    eventually("the worker has taken the payment", async || {
        (stack.database.number(leased).await == 1).then_some(())
    })
    .await;
    assert_eq!(owner.order_status(&order["id"]).await, "pending");
    stack.worker.signal("TERM");
    let ended = stack.worker.ends().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("payment_reconciled"), "{}", ended.stdout);
    assert_ne!(owner.order_status(&order["id"]).await, "pending");
}

/// Long timeouts for everything but the shutdown.
const LONG_TIMEOUTS: [(&str, &str); 5] = [
    ("GLASSHOUSE_SHUTDOWN_GRACE_SECONDS", "1"),
    ("GLASSHOUSE_REQUEST_TIMEOUT_MS", "60000"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "60000"),
    ("DATABASE_STATEMENT_TIMEOUT_MS", "60000"),
    ("DATABASE_ACQUIRE_TIMEOUT_MS", "60000"),
];

async fn is_aborted(process: Process) {
    let started = Instant::now();
    process.signal("TERM");
    let ended = process.ends().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("did not finish in time"), "{ended:?}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_exceeds_the_grace_period_is_aborted() {
    let mut stack = Stack::start(LONG_TIMEOUTS).await;
    let (owner, product, gateway) = stack.shop().await;
    slow_down(&gateway, 50_000).await;
    let order = owner.spawn_order(&product);
    eventually("the order is at the gateway", async || {
        (stack.database.number("SELECT count(*) AS n FROM orders").await == 1).then_some(())
    })
    .await;
    is_aborted(stack.serve).await;
    assert!(order.await.is_err(), "its connection is closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_stuck_in_the_database_is_aborted() {
    let mut stack = Stack::start(LONG_TIMEOUTS).await;
    let (owner, product, _) = stack.shop().await;
    let holder = lock_products(&stack.database).await;
    let order = owner.spawn_order(&product);
    let waiting = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                   AND wait_event_type = 'Lock'";
    eventually("the order waits for a lock", async || {
        (stack.database.number(waiting).await == 1).then_some(())
    })
    .await;
    is_aborted(stack.serve).await;
    assert!(order.await.is_err(), "its connection is closed");
    holder.rollback().await.unwrap();
}

/// What is left is counted when the grace period ends. The process then waits for the connection to the database that the order
/// holds, and meanwhile a client disconnects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_closes_after_the_grace_period_is_reported() {
    let settings = [&LONG_TIMEOUTS[..], &[("GLASSHOUSE_HEADER_TIMEOUT_MS", "60000")]].concat();
    let mut stack = Stack::start(settings).await;
    let (owner, product, _) = stack.shop().await;
    stack.worker.signal("KILL");
    stack.worker.ends().await;
    let holder = lock_products(&stack.database).await;
    let order = owner.spawn_order(&product);
    let sessions = async |which: &str| {
        let of_service = "datname = current_database() AND usename = 'glasshouse_test_service'";
        let count = format!("SELECT count(*) AS n FROM pg_stat_activity WHERE {of_service} AND {which}");
        stack.database.number(&count).await
    };
    eventually("the order waits for a lock", async || {
        (sessions("wait_event_type = 'Lock'").await == 1).then_some(())
    })
    .await;
    let health = owner.request(Method::GET, "/health/ready").header("Connection", "close");
    Response::of(health).await.expect(200);
    assert!(sessions("true").await > 1, "the health check uses another session");
    let mut partial = TcpStream::connect(stack.serve.address("http_addr").await).await.unwrap();
    partial.write_all(b"GET /health/live").await.unwrap();

    stack.serve.signal("TERM");
    eventually("the idle sessions are closed", async || (sessions("true").await <= 1).then_some(())).await;
    drop(partial);
    let ended = stack.serve.ends().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("cuts 2 open connections:"), "{}", ended.stderr);
    assert!(order.await.is_err(), "its connection is closed");
    holder.rollback().await.unwrap();
}

async fn lock_products(database: &TestDatabase) -> sea_orm::DatabaseTransaction {
    let connection = connect(&database.superuser_url()).await;
    let transaction = connection.begin().await.unwrap();
    let lock = Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT id FROM products FOR UPDATE");
    transaction.query_all_raw(lock).await.unwrap();
    transaction
}
