//! Settlement of orders when the gateway is slow, does not respond, fails or declines, or when a process crashes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Backend, Client, NO_WORKER, Response, SHORT_TIMEOUTS, Scrape, TestApp, concurrently, eventually, key,
    on_both, statuses,
};

on_both!(
    a_charge_without_a_response_is_found_and_not_repeated,
    a_charge_that_never_arrived_is_made_later,
    a_declined_charge_releases_the_stock,
    a_decline_without_a_response_releases_the_stock_once,
    an_open_circuit_accepts_orders_without_a_call_and_closes_again,
    a_process_that_crashes_after_the_charge_leaves_an_order_that_another_settles,
    a_process_that_crashes_before_the_charge_leaves_an_order_that_another_settles,
    an_order_is_settled_though_its_client_hangs_up,
    open_payments_are_measured_until_they_are_settled,
);

/// Asserts that an order was paid for once.
async fn assert_paid_once(app: &TestApp, owner: &Client, order: &Value) {
    owner.order_becomes(order, "paid").await;
    let payment = owner.payment(order).await;
    let charge = app.charge_at_gateway(&payment["id"]).await.expect(200);
    assert_eq!((&charge["status"], &charge["amount_minor"]), (&json!("succeeded"), &payment["amount_minor"]));
    assert_eq!(payment["status"], "succeeded");
    assert_eq!(app.charges_at_gateway().await, 1);
    assert_eq!(app.messages("order_paid").await, 1);
}

async fn a_charge_without_a_response_is_found_and_not_repeated(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "timeout_rate": 1 })).await;

    let order = owner.order(&product, 1).await.expect(202);
    assert_eq!(order["status"], "pending");
    assert_eq!(app.charges_at_gateway().await, 1);

    app.gateway_recovers().await;
    assert_paid_once(&app, &owner, &order["id"]).await;
    assert_eq!(owner.stock(&product).await, 9);
}

async fn a_charge_that_never_arrived_is_made_later(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;

    let order = owner.order(&product, 1).await.expect(202);
    assert_eq!(order["status"], "pending");
    assert_eq!(app.charges_at_gateway().await, 0);

    app.gateway_recovers().await;
    assert_paid_once(&app, &owner, &order["id"]).await;
    assert_eq!(owner.stock(&product).await, 9);
}

async fn a_declined_charge_releases_the_stock(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "decline_rate": 1 })).await;

    let order = owner.order(&product, 4).await.expect(201);

    assert_eq!(order["status"], "payment_failed");
    assert_eq!(owner.stock(&product).await, 10);
    let payment = owner.payment(&order["id"]).await;
    assert_eq!(
        (&payment["status"], &payment["decline_reason"]),
        (&json!("declined"), &json!("insufficient_funds"))
    );
    assert_eq!(app.messages("order_paid").await, 0);
}

async fn a_decline_without_a_response_releases_the_stock_once(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "decline_rate": 1, "timeout_rate": 1 })).await;

    let order = owner.order(&product, 4).await.expect(202);
    assert_eq!(owner.stock(&product).await, 6);

    app.gateway_recovers().await;
    owner.order_becomes(&order["id"], "payment_failed").await;
    assert_eq!(owner.payment(&order["id"]).await["decline_reason"], "insufficient_funds");
    assert_eq!(owner.stock(&product).await, 10);
}

async fn an_open_circuit_accepts_orders_without_a_call_and_closes_again(backend: Backend) {
    let mut settings = SHORT_TIMEOUTS.to_vec();
    settings.push(("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_FAILURES", "3"));
    settings.push(("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_PAUSE_MS", "4000"));
    let app = TestApp::start_with(backend, &settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let failed = concurrently((0..3).map(|_| owner.order(&product, 1))).await;
    assert_eq!(statuses(&failed), [(202, 3)].into());

    // The gateway works again, but the open circuit sends it no request.
    app.gateway_recovers().await;
    let skipped = concurrently((0..10).map(|_| owner.order(&product, 1))).await;
    assert_eq!(statuses(&skipped), [(202, 10)].into());
    assert_eq!(app.charges_at_gateway().await, 0);

    for order in failed.iter().chain(&skipped) {
        owner.order_becomes(&order["id"], "paid").await;
    }
    assert_eq!(owner.order(&product, 1).await.expect(201)["status"], "paid");
    assert_eq!(app.charges_at_gateway().await, 14);
}

async fn a_process_that_crashes_after_the_charge_leaves_an_order_that_another_settles(backend: Backend) {
    crashes_between_the_steps(backend, json!({ "timeout_rate": 1 }), 1).await;
}

async fn a_process_that_crashes_before_the_charge_leaves_an_order_that_another_settles(backend: Backend) {
    crashes_between_the_steps(backend, json!({ "latency_ms": 5000 }), 0).await;
}

/// A request that times out is cancelled while it waits for the gateway. The database is then in the same state as
/// after a crash: only step 1 is done.
async fn crashes_between_the_steps(backend: Backend, gateway: Value, charged: i64) {
    let outside = TestApp::start(Backend::Embedded).await;
    let url = outside.gateway_url();
    let mut settings = NO_WORKER.to_vec();
    settings.extend([
        ("GLASSHOUSE_PAYMENT_GATEWAY_URL", url.as_str()),
        ("GLASSHOUSE_REQUEST_TIMEOUT_MS", "2500"),
        ("GLASSHOUSE_RECONCILE_AFTER_SECONDS", "1"),
        ("JWT_SECRET", "the same secret before and after the crash"),
    ]);
    let app = TestApp::start_with(backend, &settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    outside.gateway_behaves(gateway).await;
    let key = key();
    owner.order_with_key(&product, 1, &key).await.expect_problem(503, "request_timed_out");
    assert_eq!(outside.charges_at_gateway().await, charged);

    outside.gateway_recovers().await;
    let database = app.stop().await;
    let open = "SELECT count(*) AS n FROM payments WHERE state = 'pending'";
    assert_eq!(database.number(open).await, 1);
    settings.retain(|(name, _)| !name.ends_with("_POLL_MS"));
    let app = TestApp::start_on(database, &settings).await;
    let owner = app.anonymous().with_token(owner.token());

    // The client retries the request.
    let order = owner.order_with_key(&product, 1, &key).await.body;
    owner.order_becomes(&order["id"], "paid").await;
    let payment = owner.payment(&order["id"]).await;
    assert_eq!(outside.status_at_gateway(&payment["id"]).await, "succeeded");
    assert_eq!(outside.charges_at_gateway().await, 1);
    assert_eq!(app.messages("order_paid").await, 1);
    assert_eq!(owner.stock(&product).await, 9);
    assert_eq!(owner.order_with_key(&product, 1, &key).await.expect(201)["id"], order["id"]);
}

async fn an_order_is_settled_though_its_client_hangs_up(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "latency_ms": 400 })).await;

    let order = json!({ "items": [{ "product_id": product, "quantity": 1 }] });
    let request = owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", key()).json(&order);
    let placing = tokio::spawn(Response::of(request));
    let order = eventually("the order is reserved", async || {
        Some(owner.get("/v1/orders").await.expect(200)["items"][0]["id"].clone()).filter(Value::is_string)
    })
    .await;
    placing.abort();

    app.gateway_recovers().await;
    assert_paid_once(&app, &owner, &order).await;
}

/// Waits until a scrape has this number of open payments. Returns the age of the oldest in seconds.
async fn open_payments(app: &TestApp, number: f64) -> f64 {
    eventually(&format!("{number} payments are open"), async || {
        let scrape = Scrape::of(&app.management()).await;
        let age = scrape.sum("payments_oldest_open_age_seconds", "");
        (scrape.sum("payments_open", "") == number).then_some(age)
    })
    .await
}

async fn open_payments_are_measured_until_they_are_settled(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let paid = owner.order(&product, 1).await.expect(201);
    assert_eq!(open_payments(&app, 0.0).await, 0.0);
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let first = owner.order(&product, 1).await.expect(202);
    owner.order(&product, 1).await.expect(202);
    app.database.query("UPDATE payments SET created_at = '2020-01-01T00:00:00Z' RETURNING id").await;
    let years = 3600.0 * 24.0 * 365.0;
    assert!(open_payments(&app, 2.0).await > 5.0 * years);
    let payment = owner.payment(&paid["id"]).await;
    owner.refund(&payment["id"], &key()).await.expect(202);
    open_payments(&app, 3.0).await;
    let scrape = Scrape::of(&app.management()).await;
    assert_eq!(scrape.values("payments_total", "outcome"), ["declined", "refunded", "succeeded"].into());

    app.gateway_recovers().await;
    owner.order_becomes(&first["id"], "paid").await;
    assert_eq!(open_payments(&app, 0.0).await, 0.0);
}
