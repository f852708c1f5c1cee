//! Limits of a request and of concurrency, as they are configured.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Backend, TestApp, eventually, key, on_both};

on_both!(
    a_body_above_the_limit_is_rejected,
    a_slow_request_times_out,
    requests_above_the_concurrency_limit_are_shed
);

fn product_named(name: &str) -> serde_json::Value {
    json!({ "sku": key(), "name": name, "price_minor": 100, "currency": "USD" })
}

async fn a_body_above_the_limit_is_rejected(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_MAX_BODY_BYTES", "2048")]).await;
    let owner = app.new_tenant().await;
    let rejected = owner.post("/v1/products", product_named(&"x".repeat(2048))).await;
    let rejected = rejected.expect_problem(413, "body_too_large");
    assert_eq!(rejected["detail"], "the body must not exceed 2048 bytes");
    owner.post("/v1/products", product_named("Mug")).await.expect(201);
}

#[tokio::test]
async fn a_chunked_body_is_limited_too() {
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_MAX_BODY_BYTES", "2048")]).await;
    let head = "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let mut connection = TcpStream::connect(app.addresses.http.unwrap()).await.unwrap();
    connection.write_all(format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes()).await.unwrap();
    let mut response = [0; 12];
    connection.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_client_that_sends_an_incomplete_head_is_disconnected() {
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_HEADER_TIMEOUT_MS", "300")]).await;
    let begun = Instant::now();
    let mut connection = TcpStream::connect(app.addresses.http.unwrap()).await.unwrap();
    connection.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
    let took = begun.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(4)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn the_limits_of_pages_and_orders_are_configurable() {
    let settings = [("GLASSHOUSE_MAX_PAGE_SIZE", "3"), ("GLASSHOUSE_MAX_ORDER_ITEMS", "2")];
    let app = TestApp::start_with(Backend::Embedded, &settings).await;
    let document = app.anonymous().get("/openapi.json").await.expect(200);
    let limit = &document["paths"]["/v1/products"]["get"]["parameters"][1];
    assert_eq!((&limit["name"], &limit["schema"]["maximum"]), (&json!("limit"), &json!(3)));
    assert_eq!(document["components"]["schemas"]["PlaceOrderBody"]["properties"]["items"]["maxItems"], 2);
    let owner = app.new_tenant().await;
    for _ in 0..4 {
        owner.add_product(10).await;
    }
    let page = owner.get("/v1/products?limit=3").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    let page = owner.get("/v1/products").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 3, "the default is within the bound");
    for limit in ["0", "4", "18446744073709551615"] {
        let rejected = owner.get(&format!("/v1/products?limit={limit}")).await;
        let rejected = rejected.expect_problem(422, "invalid_fields");
        assert_eq!(rejected["errors"], json!([{ "field": "limit", "message": "must be from 1 to 3" }]));
    }
    let lines = |count| {
        let line = json!({ "product_id": page["items"][0]["id"], "quantity": 1 });
        json!({ "items": vec![line; count] })
    };
    let rejected =
        owner.post_once("/v1/orders", &key(), lines(3)).await.expect_problem(422, "invalid_fields");
    assert_eq!(rejected["errors"], json!([{ "field": "items", "message": "must have at most 2 items" }]));
    owner.post_once("/v1/orders", &key(), lines(2)).await.expect(201);
}

async fn a_slow_request_times_out(backend: Backend) {
    let app = TestApp::start_with(
        backend,
        &[("GLASSHOUSE_REQUEST_TIMEOUT_MS", "1500"), ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "30000")],
    )
    .await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "latency_ms": 30_000 })).await;
    let begun = Instant::now();
    let response = owner.order(&product, 1).await;
    assert_eq!(response.header("retry-after"), "1");
    response.expect_problem(503, "request_timed_out");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

async fn requests_above_the_concurrency_limit_are_shed(backend: Backend) {
    let app = TestApp::start_with(
        backend,
        &[("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", "2"), ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "30000")],
    )
    .await;
    // One tenant alone would get half of the places.
    let (owner, other) = (app.new_tenant().await, app.new_tenant().await);
    let (product, another) = (owner.add_product(10).await, other.add_product(10).await);
    app.gateway_behaves(json!({ "latency_ms": 3000 })).await;
    let orders = [owner.spawn_order(&product), other.spawn_order(&another)];

    eventually("both orders are at the gateway", async || {
        let pending = "SELECT count(*) AS n FROM orders WHERE state = 'pending'";
        (app.database.number(pending).await == 2).then_some(())
    })
    .await;
    let rejected = owner.get("/v1/users/me").await;
    assert_eq!(rejected.header("retry-after"), "1");
    rejected.expect_problem(503, "overloaded");
    app.anonymous().get("/health/ready").await.expect(200);

    for order in orders {
        order.await.unwrap().expect(201);
    }
    owner.get("/v1/users/me").await.expect(200);
}
