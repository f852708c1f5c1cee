//! Outages of Postgres and Redis as clients see them, and panics in handlers.

use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, web};
use glasshouse_api::http::problem::ProblemDocuments;
use glasshouse_api::http::public::middleware::RequestSpan;
use glasshouse_telemetry::http::{Observe, TracingLogger};
use serde_json::Value;

use crate::command_line::Stack;
use crate::support::{
    BehindProxies, Client, Process, Proxy, Response, Scrape, TestApp, concurrently, eventually, log_lines,
    settings, statuses, test_variable,
};

/// The database timeouts of [`BehindProxies`], with a margin for a busy machine.
const DATABASE_BOUND: Duration = Duration::from_millis(1500 + 1000 + 2000);

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

/// A gauge of the process.
pub(crate) async fn gauge(app: &TestApp, name: &str) -> f64 {
    Scrape::of(&app.management()).await.sum(name, "")
}

pub(crate) async fn uses_redis_again(app: &TestApp, owner: &Client) {
    eventually("requests use Redis again", async || {
        owner.get("/v1/users/me").await.expect(200);
        let gauges = (gauge(app, "redis_circuit_open").await, gauge(app, "rate_limiter_local").await);
        (gauges == (0.0, 0.0)).then_some(())
    })
    .await;
}

async fn reports(client: &Client, redis: &str) {
    eventually(&format!("it is ready, and Redis is {redis}"), async || {
        let ready = client.get("/health/ready").await.expect(200);
        assert_eq!((&ready["status"], &ready["checks"]["database"]), (&"ready".into(), &"ok".into()));
        ready["checks"]["redis"].as_str().unwrap().starts_with(redis).then_some(())
    })
    .await;
}

/// `serve` starts without Redis, uses it when it comes, and stays ready when it goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_no_condition_of_a_start_or_of_readiness() {
    for hangs in [false, true] {
        let redis = Proxy::before(&test_variable("TEST_REDIS_URL"));
        interrupt(&redis, hangs).await;
        let mut stack = Stack::start([("REDIS_URL", redis.url()), ("REDIS_TIMEOUT_MS", "1000")]).await;
        let failed = stack.serve.logs("redis_connection_failed").await;
        assert_eq!(failed["level"], "WARN");
        let listeners = [stack.serve.client("http_addr").await, stack.serve.client("management_addr").await];
        let management = &listeners[1];
        let is_up = async || Scrape::of(management).await.sum("dependency_up", r#"dependency="redis""#);
        let report = async |redis| {
            for listener in &listeners {
                reports(listener, redis).await;
            }
        };

        report("error: ").await;
        let (owner, product, _) = stack.shop().await;
        owner.order(&product, 1).await.expect(201);
        assert_eq!(is_up().await, 0.0);

        redis.restore();
        report("ok").await;
        let before = redis.requests();
        owner.get("/v1/users/me").await.expect(200);
        assert!(redis.requests() > before, "requests use Redis");
        eventually("the gauge follows", async || (is_up().await == 1.0).then_some(())).await;

        interrupt(&redis, hangs).await;
        report("error: ").await;
        owner.order(&product, 1).await.expect(201);
        let address = stack.serve.address("management_addr").await;
        let health = settings([("GLASSHOUSE_MANAGEMENT_ADDR", &*address)]);
        let checked = Process::run(&["check-health"], &health).await;
        assert_eq!(checked.code, Some(0), "{checked:?}");
    }
}

/// If each of the 30 requests waited for a timeout, they would take as long as 30 timeouts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_requests_succeed_and_none_but_the_first_waits() {
    let settings = [("REDIS_TIMEOUT_MS", "4000")];
    let BehindProxies { app, postgres: _postgres, redis } = BehindProxies::start(&settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    for hangs in [false, true] {
        interrupt(&redis, hangs).await;
        // It notices the outage.
        owner.get("/v1/users/me").await.expect(200);
        assert_eq!(gauge(&app, "redis_circuit_open").await, 1.0);
        assert_eq!(gauge(&app, "rate_limiter_local").await, 1.0);
        let begun = Instant::now();
        for _ in 0..10 {
            for (response, _) in requests(&owner, &product).await {
                assert!(response.status.is_success(), "{response:?}");
                assert_eq!(response.header("ratelimit-limit"), "100000");
            }
        }
        let timeouts = begun.elapsed().as_secs_f64() / 4.0;
        assert!(timeouts < 10.0, "30 requests took as long as {timeouts} timeouts");
        redis.restore();
        uses_redis_again(&app, &owner).await;
    }
}

/// An outage is a few log records, whatever the number of requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_redis_is_logged_when_it_begins_and_ends() {
    let redis = Proxy::before(&test_variable("TEST_REDIS_URL"));
    let mut stack = Stack::start([("REDIS_URL", redis.url()), ("REDIS_TIMEOUT_MS", "1000")]).await;
    let (owner, _, _) = stack.shop().await;
    redis.refuse().await;
    for _ in 0..20 {
        owner.get("/v1/users/me").await.expect(200);
    }
    redis.restore();
    eventually("the limiter is restored", async || {
        owner.get("/v1/users/me").await.expect(200);
        stack.serve.stdout().contains("rate_limiter_restored").then_some(())
    })
    .await;
    let lines = log_lines(&stack.serve.stdout());
    let count = |event: &str| lines.iter().filter(|line| line["message"] == *event).count();
    for event in [
        "circuit_breaker_opened",
        "rate_limiter_fell_back",
        "rate_limiter_restored",
        "circuit_breaker_closed",
    ] {
        assert_eq!(count(event), 1, "{event}");
    }
    let opened = lines.iter().find(|line| line["message"] == "circuit_breaker_opened").unwrap();
    assert_eq!((&opened["dependency"], &opened["level"]), (&"redis".into(), &"WARN".into()));
    assert!(count("cache_failed") <= 2, "{} records", count("cache_failed"));
}

/// The limiter of the process takes over with a fair share, and Redis' decides again afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_process_limits_tenants_with_its_share() {
    // One token in 400 seconds for each process: none is added during the test.
    let settings = [("GLASSHOUSE_RATE_LIMIT_FREE", "1/4000"), ("GLASSHOUSE_RATE_LIMIT_PROCESSES", "400")];
    let BehindProxies { app, postgres: _postgres, redis } = BehindProxies::start(&settings).await;
    for hangs in [false, true] {
        let tenants = [app.new_tenant().await, app.new_tenant().await];
        assert_eq!(tenants[0].get("/v1/users/me").await.header("ratelimit-limit"), "4000");
        interrupt(&redis, hangs).await;
        for tenant in &tenants {
            let responses = concurrently((0..30).map(|_| tenant.get("/v1/users/me"))).await;
            assert_eq!(statuses(&responses), [(200, 10), (429, 20)].into(), "{hangs}");
            assert!(responses.iter().all(|response| response.header("ratelimit-limit") == "10"));
            let rejected = responses.into_iter().find(|response| response.status == 429).unwrap();
            assert!(rejected.header("retry-after").parse::<u32>().unwrap() > 300, "{rejected:?}");
            rejected.expect_problem(429, "rate_limited");
        }
        redis.restore();
        eventually("Redis is found again", async || {
            (gauge(&app, "redis_circuit_open").await == 0.0).then_some(())
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
