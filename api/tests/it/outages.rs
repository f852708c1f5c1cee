//! Outages of Postgres and Redis as clients see them, and panics in handlers.

use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, web};
use glasshouse_api::http::problem::ProblemDocuments;
use glasshouse_api::http::public::middleware::RequestSpan;
use glasshouse_telemetry::http::{Observe, TracingLogger};
use serde_json::Value;

use crate::support::{BehindProxies, Client, Proxy, Response, eventually};

/// The database timeouts of [`BehindProxies`], with a margin for a busy machine.
const DATABASE_BOUND: Duration = Duration::from_millis(1500 + 1000 + 2000);
/// The timeouts of three Redis calls, with a margin.
const REDIS_BOUND: Duration = Duration::from_millis(3 * 250 + 2000);

async fn timed(request: impl Future<Output = Response>) -> (Response, Duration) {
    let begun = Instant::now();
    (request.await, begun.elapsed())
}

/// Requests whose handlers query the database, and one that queries it for authentication.
async fn requests(owner: &Client, product: &str) -> [(Response, Duration); 3] {
    [
        timed(owner.get("/v1/orders")).await,
        timed(owner.order(product, 1)).await,
        timed(owner.get("/v1/users/me")).await,
    ]
}

async fn orders_succeed_again(owner: &Client, product: &str) {
    eventually("orders are placed again, without a restart", async || {
        (owner.order(product, 1).await.status == 201).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_requests_fail_in_time_and_recover() {
    // Without a worker, which would use the idle connections on which a request can hang.
    let settings = [("GLASSHOUSE_OUTBOX_POLL_MS", "600000"), ("GLASSHOUSE_RECONCILE_POLL_MS", "600000")];
    let BehindProxies { app, postgres, redis: _redis } = BehindProxies::start(&settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    for hangs in [false, true] {
        let warm_up = (0..8).map(|_| owner.get("/v1/orders"));
        futures_util::future::join_all(warm_up).await;
        app.management().get("/health/ready").await.expect(200);
        interrupt(&postgres, hangs).await;
        for (response, took) in requests(&owner, &product).await {
            assert_eq!(response.header("retry-after"), "1");
            response.expect_problem(503, "storage_unavailable");
            assert!(took < DATABASE_BOUND, "{took:?}");
        }
        postgres.restore();
        orders_succeed_again(&owner, &product).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silently_dropped_connections_are_replaced() {
    let BehindProxies { app, postgres, redis } = BehindProxies::start(&[("DATABASE_POOL_SIZE", "2")]).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    postgres.lose_connections();
    redis.lose_connections();
    orders_succeed_again(&owner, &product).await;
    eventually("the limiter counts again", async || {
        (owner.get("/v1/users/me").await.header("ratelimit-limit") == "100000").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_under_load_causes_no_500_and_no_lost_request() {
    let BehindProxies { app, postgres, redis: _redis } =
        BehindProxies::start(&[("GLASSHOUSE_REQUEST_TIMEOUT_MS", "5000")]).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100_000).await;
    let (done, watch) = tokio::sync::watch::channel(false);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (owner, product, done) = (owner.clone(), product.clone(), watch.clone());
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                while !*done.borrow() {
                    statuses.push(owner.order(&product, 1).await.status.as_u16());
                }
                statuses
            })
        })
        .collect();
    for hangs in [false, true, false] {
        orders_succeed_again(&owner, &product).await;
        interrupt(&postgres, hangs).await;
        assert_eq!(owner.order(&product, 1).await.status, 503);
        postgres.restore();
    }
    orders_succeed_again(&owner, &product).await;
    done.send(true).unwrap();
    let mut statuses = Vec::new();
    for client in clients {
        statuses.extend(client.await.unwrap());
    }
    statuses.sort_unstable();
    statuses.dedup();
    // 202: the payment may have been charged; the reconciler settles it.
    assert!(statuses.iter().all(|status| [201, 202, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&201) && statuses.contains(&503), "{statuses:?}");
    let paid_without_charge = "SELECT count(*) AS n FROM orders WHERE state = 'paid' AND NOT EXISTS \
                               (SELECT FROM payments WHERE order_id = orders.id AND state = 'succeeded')";
    assert_eq!(app.database.number(paid_without_charge).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_every_request_succeeds_a_little_later() {
    let BehindProxies { app, postgres: _postgres, redis } = BehindProxies::start(&[]).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    for hangs in [false, true] {
        interrupt(&redis, hangs).await;
        for (response, took) in requests(&owner, &product).await {
            assert!(response.status.is_success(), "{response:?}");
            assert_eq!(response.header("ratelimit-limit"), "", "no limiter is available");
            assert!(took < REDIS_BOUND, "{took:?}");
        }
        redis.restore();
        eventually("the limiter counts again", async || {
            (owner.get("/v1/users/me").await.header("ratelimit-limit") == "100000").then_some(())
        })
        .await;
    }
}

async fn interrupt(part: &Proxy, hangs: bool) {
    if hangs {
        part.hang();
    } else {
        part.refuse().await;
    }
}

#[actix_web::test]
async fn a_panic_in_a_handler_is_a_500_problem_and_the_next_request_is_served() {
    async fn panics() -> HttpResponse {
        panic!("the password is hunter2");
    }
    let app = App::new()
        .wrap(Observe::without_metrics().errors(ProblemDocuments))
        .wrap(TracingLogger::<RequestSpan>::new())
        .route("/panics", web::get().to(panics))
        .route("/works", web::get().to(HttpResponse::Ok));
    let app = actix_web::test::init_service(app).await;
    let get = |path| {
        actix_web::test::TestRequest::get().uri(path).insert_header(("x-request-id", "r-1")).to_request()
    };

    let error = actix_web::test::try_call_service(&app, get("/panics")).await.unwrap_err();
    let response = error.error_response();
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
    let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["code"], &body["request_id"]), (&"internal_server_error".into(), &"r-1".into()));
    assert!(!body.to_string().contains("hunter2"), "{body}");

    assert_eq!(actix_web::test::call_service(&app, get("/works")).await.status(), 200);
}
