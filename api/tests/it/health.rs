//! Health checks, as load balancers and orchestrators see them.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::command_line::{common, with};
use crate::support::{
    Backend, BehindProxies, Process, Proxy, TestApp, TestDatabase, WireTap, eventually, log_lines, on_both,
    test_variable,
};

on_both!(both_listeners_report_liveness_and_readiness, the_management_listener_is_not_public);

async fn both_listeners_report_liveness_and_readiness(backend: Backend) {
    let app = TestApp::start(backend).await;
    let checks = match backend {
        Backend::Embedded => json!({ "database": "ok", "worker": "ok" }),
        Backend::Servers => json!({ "database": "ok", "redis": "ok", "worker": "ok" }),
    };
    for listener in [app.anonymous(), app.management()] {
        assert_eq!(listener.get("/health/live").await.expect(200), json!({ "status": "ok" }));
        let ready = listener.get("/health/ready").await.expect(200);
        assert_eq!(ready, json!({ "status": "ready", "checks": checks }));
    }
}

async fn the_management_listener_is_not_public(backend: Backend) {
    let app = TestApp::start(backend).await;
    for path in
        ["/metrics", "/debug/pprof/profile", "/debug/pprof/flamegraph", "/faults", "/control", "/health"]
    {
        app.anonymous().get(path).await.expect_problem(404, "unknown_route");
    }
    // And the public routes are not on the management listener.
    for path in ["/v1/users/me", "/openapi.json", "/docs/"] {
        app.management().get(path).await.expect(404);
    }
}

/// Waits until both listeners report this verdict on a dependency, whose text begins so. The status of the response is this
/// one then. Returns the checks of each.
async fn becomes(app: &TestApp, status: u16, word: &str, (name, verdict): (&str, &str)) -> [Value; 2] {
    let mut checks = [Value::Null, Value::Null];
    for (listener, checks) in [app.anonymous(), app.management()].into_iter().zip(&mut checks) {
        let response = eventually(&format!("{name} is {verdict}, without a restart"), async || {
            let response = listener.get("/health/ready").await;
            response["checks"][name].as_str().unwrap().starts_with(verdict).then_some(response)
        })
        .await;
        assert_eq!(response.status, status, "{}", response.body);
        assert_eq!(response["status"], word, "{}", response.body);
        *checks = response["checks"].clone();
    }
    checks
}

/// Hundreds of clients cost the dependencies one check a second: on both listeners, and together with scrapes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_health_checks_share_one_check() {
    const CLIENTS: usize = 300;
    // The management port takes 64 connections at once.
    const OPERATORS: usize = 40;
    let database = TestDatabase::create(Backend::Servers).await;
    let redis = Proxy::before(&test_variable("TEST_REDIS_URL"));
    let tap = WireTap::before(&database.service_url()).await;
    let settings = [
        ("DATABASE_URL", tap.url()),
        ("REDIS_URL", redis.url()),
        ("GLASSHOUSE_OUTBOX_POLL_MS", "600000"),
        ("GLASSHOUSE_RECONCILE_POLL_MS", "600000"),
    ];
    let app = TestApp::start_on(database, &settings).await;
    let (begun, redis_before) = (Instant::now(), redis.requests());
    tap.take();
    let clients = (0..CLIENTS).map(|_| app.anonymous()).chain((0..OPERATORS).map(|_| app.management()));
    let requests = clients.map(async |client| {
        client.get("/health/live").await.expect(200);
        client.get("/health/ready").await.expect(200)
    });
    let ready = json!({ "status": "ready", "checks": { "database": "ok", "redis": "ok", "worker": "ok" } });
    assert!(join_all(requests).await.iter().all(|response| *response == ready));
    app.management().get("/metrics").await.expect(200);

    // Each check is followed by a second without one.
    let most = 1 + begun.elapsed().as_secs();
    let pings = tap.take().into_iter().filter(|statement| statement == "SELECT 1").count() as u64;
    assert!((1..=most).contains(&pings), "{pings} pings of the database in {most} s");
    // A check may open a connection first, and the scrape counts the active users.
    let requests = redis.requests() - redis_before;
    assert!((1..=10 * most).contains(&requests), "{requests} requests to Redis in {most} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_dependency_is_reported_until_it_recovers() {
    let BehindProxies { app, postgres, redis } = BehindProxies::start(&[]).await;
    // Redis is reported, and no condition.
    for (name, other, part, status, word) in
        [("database", "redis", &postgres, 503, "not_ready"), ("redis", "database", &redis, 200, "ready")]
    {
        for hangs in [false, true] {
            if hangs {
                part.hang();
            } else {
                part.refuse().await;
            }
            for checks in becomes(&app, status, word, (name, "error: ")).await {
                assert_eq!(checks[other], "ok");
            }
            app.anonymous().get("/health/live").await.expect(200);
            part.restore();
            becomes(&app, 200, "ready", (name, "ok")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_is_logged_once_until_it_is_back() {
    let database = TestDatabase::create(Backend::Servers).await;
    let postgres = Proxy::before(&database.service_url());
    let settings = [
        ("DATABASE_URL", postgres.url()),
        ("GLASSHOUSE_PAYMENT_GATEWAY_URL", "http://127.0.0.1:1"),
        // The jobs stay away, so that only health checks find out.
        ("GLASSHOUSE_OUTBOX_POLL_MS", "600000"),
        ("GLASSHOUSE_RECONCILE_POLL_MS", "600000"),
    ];
    let mut worker = Process::start(&["worker"], &with(&common(), settings));
    let management = worker.client("management_addr").await;
    let events = || {
        let lines = log_lines(&worker.stdout()).into_iter();
        lines
            .filter(|line| line["message"].as_str().unwrap().starts_with("database_connection_"))
            .collect::<Vec<_>>()
    };
    for outages in 1..=2 {
        management.get("/health/ready").await.expect(200);
        postgres.refuse().await;
        eventually("it is not ready", async || {
            (management.get("/health/ready").await.status == 503).then_some(())
        })
        .await;
        for _ in 0..3 {
            management.get("/health/ready").await.expect(503);
        }
        postgres.restore();
        eventually("it is ready again", async || {
            (management.get("/health/ready").await.status == 200).then_some(())
        })
        .await;
        let events = eventually("the return of the database is logged", async || {
            let events = events();
            (events.len() > 2 * outages).then_some(events)
        })
        .await;
        assert_eq!(events.len(), 2 * outages + 1, "{events:?}");
        let [lost, ok] = &events[2 * outages - 1..] else { panic!("{events:?}") };
        assert_eq!(
            (&lost["message"], &ok["message"]),
            (&json!("database_connection_lost"), &json!("database_connection_ok"))
        );
        assert_eq!((&lost["level"], &lost["severity"]), (&json!("ERROR"), &json!("critical")));
    }
}
