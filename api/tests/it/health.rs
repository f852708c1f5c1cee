//! Health checks, as load balancers and orchestrators see them.

use serde_json::{Value, json};

use crate::command_line::{common, with};
use crate::support::{
    Backend, BehindProxies, Process, Proxy, TestApp, TestDatabase, eventually, log_lines, on_both,
};

on_both!(both_listeners_report_liveness_and_readiness, the_management_listener_is_not_public);

async fn both_listeners_report_liveness_and_readiness(backend: Backend) {
    let app = TestApp::start(backend).await;
    let checks = match backend {
        Backend::Embedded => json!({ "database": "ok" }),
        Backend::Servers => json!({ "database": "ok", "redis": "ok" }),
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

/// Asserts the readiness of both listeners. Returns the checks of each.
async fn assert_ready(app: &TestApp, status: u16, word: &str) -> [Value; 2] {
    let mut checks = [Value::Null, Value::Null];
    for (listener, checks) in [app.anonymous(), app.management()].into_iter().zip(&mut checks) {
        let response = listener.get("/health/ready").await.expect(status);
        assert_eq!(response["status"], word, "{response}");
        *checks = response["checks"].clone();
    }
    checks
}

async fn becomes_ready(app: &TestApp) {
    let ready_body = json!({ "status": "ready", "checks": { "database": "ok", "redis": "ok" } });
    eventually("it is ready again, without a restart", async || {
        (app.management().get("/health/ready").await.body == ready_body).then_some(())
    })
    .await;
    assert_ready(app, 200, "ready").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_dependency_is_reported_until_it_recovers() {
    let BehindProxies { app, postgres, redis } = BehindProxies::start(&[]).await;
    for (name, other, part) in [("database", "redis", &postgres), ("redis", "database", &redis)] {
        for hangs in [false, true] {
            if hangs {
                part.hang();
            } else {
                part.refuse().await;
            }
            for checks in assert_ready(&app, 503, "not_ready").await {
                assert!(checks[name].as_str().unwrap().starts_with("error: "), "{checks}");
                assert_eq!(checks[other], "ok");
            }
            app.anonymous().get("/health/live").await.expect(200);
            part.restore();
            becomes_ready(&app).await;
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
