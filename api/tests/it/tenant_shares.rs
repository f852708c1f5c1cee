//! The places of the concurrency limit are shared among tenants: one that has many slow requests in flight leaves room.

use serde_json::json;

use crate::support::{Backend, Scrape, TestApp, eventually, on_both};

on_both!(a_tenant_with_many_slow_requests_leaves_room_for_others);

const PLACES: &str = "8";
/// As many as the tenant leaves free.
const SHARE: i64 = 4;

async fn a_tenant_with_many_slow_requests_leaves_room_for_others(backend: Backend) {
    let settings = [
        ("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", PLACES),
        ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "60000"),
        ("GLASSHOUSE_REQUEST_TIMEOUT_MS", "60000"),
    ];
    let app = TestApp::start_with(backend, &settings).await;
    let (flooding, other) = (app.new_tenant().await, app.new_tenant().await);
    let (product, another) = (flooding.add_product(100).await, other.add_product(100).await);
    app.gateway_behaves(json!({ "latency_ms": 50_000 })).await;
    let mut in_flight = Vec::new();
    let pending = "SELECT count(*) AS n FROM orders WHERE state = 'pending'";
    for expected in 1..=SHARE {
        in_flight.push(flooding.spawn_order(&product));
        eventually("the order is at the gateway", async || {
            (app.database.number(pending).await == expected).then_some(())
        })
        .await;
    }

    for _ in 0..3 {
        let rejected = flooding.order(&product, 1).await;
        assert_eq!(rejected.header("retry-after"), "1");
        rejected.expect_problem(503, "overloaded");
        flooding.get("/v1/users/me").await.expect_problem(503, "overloaded");
        other.get("/v1/users/me").await.expect(200);
        other.get("/v1/orders").await.expect(200);
    }
    // Without a token, there is no tenant that has its share.
    app.anonymous().get("/v1/users/me").await.expect(401);
    in_flight.push(other.spawn_order(&another));
    eventually("the order of the other tenant is at the gateway", async || {
        (app.database.number(pending).await == SHARE + 1).then_some(())
    })
    .await;
    other.get("/v1/users/me").await.expect(200);
    let scrape = Scrape::of(&app.management()).await;
    assert_eq!(scrape.sum("load_shed_total", r#"reason="tenant""#), 6.0);
    assert_eq!(scrape.sum("load_shed_total", r#"reason="concurrency""#), 0.0);
    in_flight.iter().for_each(tokio::task::JoinHandle::abort);
}
