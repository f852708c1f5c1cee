//! Idempotency keys: a repeated request takes effect once, and gets the first response again.

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::support::{Backend, Client, Response, SHORT_TIMEOUTS, TestApp, concurrently, key, on_both};

on_both!(
    twenty_concurrent_requests_with_one_key_place_one_order,
    an_order_is_replayed_unchanged_after_its_refund,
    a_pending_order_is_replayed_as_pending,
    a_repeated_order_does_not_need_the_stock_that_it_took,
    a_repeated_order_does_not_need_a_product_for_sale,
    a_key_belongs_to_one_request,
    users_do_not_share_keys,
    two_users_may_use_a_key_at_once,
    tenants_do_not_share_keys,
    keys_of_the_previous_version_are_honored,
    operations_on_money_and_stock_require_a_key,
    a_failed_request_does_not_use_up_its_key,
    concurrent_stock_movements_with_one_key_take_effect_once,
    concurrent_cancellations_with_one_key_take_effect_once,
    concurrent_refunds_with_one_key_take_effect_once,
    an_accepted_refund_is_replayed_as_accepted,
);

/// Asserts that this is the first response again, marked as a replay.
#[track_caller]
fn assert_replayed(first: &Response, again: &Response) {
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
}

/// Sends a request ten times concurrently, and asserts that one response is the first and all others replay it.
async fn ten_times(request: impl AsyncFn() -> Response) -> Response {
    let mut responses = concurrently((0..10).map(|_| request())).await;
    responses.sort_by_key(|response| response.header("idempotency-replayed").len());
    let first = responses.remove(0);
    responses.iter().for_each(|again| assert_replayed(&first, again));
    first
}

async fn twenty_concurrent_requests_with_one_key_place_one_order(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100).await;
    app.gateway_behaves(json!({ "latency_ms": 100 })).await;
    let key = key();

    let responses = concurrently((0..20).map(|_| owner.order_with_key(&product, 3, &key))).await;

    let order = &responses[0]["id"];
    for response in &responses {
        assert!(matches!(response.status.as_u16(), 201 | 202), "{response:?}");
        assert_eq!(&response["id"], order);
    }
    let first = responses.iter().filter(|response| response.header("idempotency-replayed").is_empty());
    assert_eq!(first.map(|response| response.status.as_u16()).collect::<Vec<_>>(), [201]);
    assert_eq!(owner.order_status(order).await, "paid");
    assert_eq!(owner.stock(&product).await, 97);
    assert_eq!(app.charges_at_gateway().await, 1);
    assert_eq!(app.database.number("SELECT count(*) AS n FROM orders").await, 1);
}

async fn an_order_is_replayed_unchanged_after_its_refund(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let key = key();

    let first = owner.order_with_key(&product, 1, &key).await;
    assert_eq!((first.status.as_u16(), first["status"].as_str()), (201, Some("paid")));
    let payment = owner.payment(&first["id"]).await;
    owner.refund(&payment["id"], &self::key()).await.expect(200);

    assert_replayed(&first, &owner.order_with_key(&product, 1, &key).await);
    assert_eq!(owner.order_status(&first["id"]).await, "refunded");
    assert_eq!(owner.stock(&product).await, 9);
}

async fn a_pending_order_is_replayed_as_pending(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let key = key();

    let first = owner.order_with_key(&product, 1, &key).await;
    assert_eq!(first.status.as_u16(), 202);
    app.gateway_recovers().await;
    owner.order_becomes(&first["id"], "paid").await;

    assert_replayed(&first, &owner.order_with_key(&product, 1, &key).await);
}

async fn a_repeated_order_does_not_need_the_stock_that_it_took(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1).await;
    let key = key();

    let first = owner.order_with_key(&product, 1, &key).await;
    assert_eq!(first.status.as_u16(), 201);
    assert_replayed(&first, &owner.order_with_key(&product, 1, &key).await);
    owner.order(&product, 1).await.expect_problem(409, "out_of_stock");
    owner.order_with_key(&product, 2, &key).await.expect_problem(422, "idempotency_key_reused");
}

async fn a_repeated_order_does_not_need_a_product_for_sale(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(2).await;
    let key = key();

    let first = owner.order_with_key(&product, 1, &key).await;
    assert_eq!(first.status.as_u16(), 201);
    let path = format!("/v1/products/{product}");
    let etag = owner.get(&path).await.header("etag").to_owned();
    owner.delete(&path, &etag).await.expect(204);
    assert_replayed(&first, &owner.order_with_key(&product, 1, &key).await);
    owner.order(&product, 1).await.expect_problem(422, "invalid_fields");
}

async fn a_key_belongs_to_one_request(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (product, other) = (owner.add_product(10).await, owner.add_product(10).await);
    let (key, moving) = (key(), self::key());
    let order = owner.order_with_key(&product, 1, &key).await.expect(201);
    let payment = owner.payment(&order["id"]).await;
    owner.move_stock(&product, 1, &moving).await.expect(200);

    for reused in [
        owner.order_with_key(&product, 2, &key).await,
        owner.order_with_key(&other, 1, &key).await,
        owner.cancel(&order["id"], &key).await,
        owner.refund(&payment["id"], &key).await,
        owner.move_stock(&product, 1, &key).await,
        owner.move_stock(&product, 2, &moving).await,
        owner.move_stock(&other, 1, &moving).await,
    ] {
        reused.expect_problem(422, "idempotency_key_reused");
    }
    assert_eq!((owner.stock(&product).await, owner.stock(&other).await), (10, 10));
    assert_eq!(owner.order_status(&order["id"]).await, "paid");
}

/// A member who guesses or repeats the key of a colleague neither blocks them nor learns of their request.
async fn users_do_not_share_keys(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let users = [app.add_user(&owner, "member").await, app.add_user(&owner, "admin").await, owner];
    let [_, _, owner] = &users;
    let product = owner.add_product(100).await;
    let key = key();
    let mut orders = Vec::new();
    for (user, quantity) in users.iter().zip(1..) {
        let first = user.order_with_key(&product, quantity, &key).await;
        assert_eq!((first.status.as_u16(), &first["items"][0]["quantity"]), (201, &json!(quantity)));
        assert_replayed(&first, &user.order_with_key(&product, quantity, &key).await);
        user.order_with_key(&product, 9, &key).await.expect_problem(422, "idempotency_key_reused");
        orders.push(first["id"].clone());
    }
    assert_eq!(owner.stock(&product).await, 100 - 6);
    assert_eq!(app.charges_at_gateway().await, 3);

    let [_, admin, owner] = &users;
    let moving = self::key();
    for user in [admin, owner] {
        assert_replayed(
            &user.move_stock(&product, 3, &moving).await,
            &user.move_stock(&product, 3, &moving).await,
        );
    }
    assert_eq!(owner.stock(&product).await, 100);
    let refunding = self::key();
    for (user, order) in [(admin, &orders[0]), (owner, &orders[1])] {
        let payment = owner.payment(order).await;
        assert_eq!(user.refund(&payment["id"], &refunding).await.expect(200)["status"], "refunded");
    }
    let cancelling = self::key();
    for user in [admin, owner] {
        let order = pending_order(&app, user, &product).await;
        assert_eq!(user.cancel(&order, &cancelling).await.expect(200)["status"], "cancelled");
    }
}

async fn two_users_may_use_a_key_at_once(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let member = app.add_user(&owner, "member").await;
    let product = owner.add_product(100).await;
    let key = key();
    let both = [&owner, &member].into_iter().cycle().take(10);
    let responses = concurrently(both.map(|user| user.order_with_key(&product, 1, &key))).await;
    let first = responses.iter().filter(|response| response.header("idempotency-replayed").is_empty());
    assert_eq!(first.map(|response| response.status.as_u16()).collect::<Vec<_>>(), [201, 201]);
    assert_eq!(app.database.number("SELECT count(*) AS n FROM orders").await, 2);
}

/// The previous version stored keys by tenant, and their user in the hash alone.
async fn keys_of_the_previous_version_are_honored(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let member = app.add_user(&owner, "member").await;
    let product = owner.add_product(100).await;
    let key = key();
    let first = owner.order_with_key(&product, 1, &key).await;
    let columns = "tenant_id, key, request_hash, subject_id, status, body, created_at";
    for sql in [
        &format!("INSERT INTO idempotency_keys ({columns}) SELECT {columns} FROM idempotent_requests"),
        "DELETE FROM idempotent_requests",
    ] {
        app.database.query(sql).await;
    }
    assert_replayed(&first, &owner.order_with_key(&product, 1, &key).await);
    member.order_with_key(&product, 1, &key).await.expect(201);
    assert_eq!(owner.stock(&product).await, 98);
}

async fn tenants_do_not_share_keys(backend: Backend) {
    let app = TestApp::start(backend).await;
    let key = key();
    for _ in 0..2 {
        let owner = app.new_tenant().await;
        let product = owner.add_product(1).await;
        let order = owner.order_with_key(&product, 1, &key).await;
        assert_eq!(order.header("idempotency-replayed"), "");
        assert_eq!(order.expect(201)["items"][0]["product_id"], product);
    }
}

async fn operations_on_money_and_stock_require_a_key(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let order = owner.order(&product, 1).await.expect(201);
    let payment = owner.payment(&order["id"]).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let requests = [
        ("/v1/orders".to_owned(), json!({ "items": [{ "product_id": product, "quantity": 1 }] })),
        (format!("/v1/orders/{}/cancel", text(&order["id"])), json!({})),
        (format!("/v1/payments/{}/refund", text(&payment["id"])), json!({})),
        (format!("/v1/products/{product}/stock"), json!({ "delta": 1 })),
    ];
    let long = "k".repeat(256);
    for (path, body) in requests {
        owner.post(&path, body.clone()).await.expect_problem(400, "idempotency_key_required");
        for bad in ["", "two words", "größe", &long] {
            let bad = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
            let request = owner.request(Method::POST, &path).header("Idempotency-Key", bad).json(&body);
            Response::of(request).await.expect_problem(400, "idempotency_key_invalid");
        }
    }
    assert_eq!(owner.stock(&product).await, 9);
    assert_eq!(owner.order_status(&order["id"]).await, "paid");
}

async fn a_failed_request_does_not_use_up_its_key(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(0).await;
    let (ordering, moving) = (key(), key());

    owner.order_with_key(&product, 1, &ordering).await.expect_problem(409, "out_of_stock");
    owner.move_stock(&product, -1, &moving).await.expect_problem(409, "stock_out_of_range");
    owner.move_stock(&product, 2, &key()).await.expect(200);

    assert_eq!(owner.order_with_key(&product, 1, &ordering).await.expect(201)["status"], "paid");
    assert_eq!(owner.move_stock(&product, -1, &moving).await.expect(200)["stock"], 0);
}

async fn concurrent_stock_movements_with_one_key_take_effect_once(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let key = key();

    let first = ten_times(async || owner.move_stock(&product, 5, &key).await).await;
    owner.move_stock(&product, -15, &self::key()).await.expect(200);

    assert_replayed(&first, &owner.move_stock(&product, 5, &key).await);
    assert_eq!((first.status.as_u16(), first["stock"].as_i64()), (200, Some(15)));
    assert_eq!(owner.stock(&product).await, 0);
}

async fn concurrent_cancellations_with_one_key_take_effect_once(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let order = pending_order(&app, &owner, &product).await;
    let key = key();

    let first = ten_times(async || owner.cancel(&order, &key).await).await;

    assert_eq!((first.status.as_u16(), first["status"].as_str()), (200, Some("cancelled")));
    assert_eq!(owner.stock(&product).await, 10);
}

async fn pending_order(app: &TestApp, owner: &Client, product: &str) -> Value {
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    owner.order(product, 4).await.expect(202)["id"].clone()
}

async fn concurrent_refunds_with_one_key_take_effect_once(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let order = owner.order(&product, 1).await.expect(201);
    let payment = owner.payment(&order["id"]).await["id"].clone();
    let key = key();

    let responses = concurrently((0..10).map(|_| owner.refund(&payment, &key))).await;

    // Requests that arrived while the first one was in progress get 202.
    assert!(responses.iter().all(|response| matches!(response.status.as_u16(), 200 | 202)), "{responses:?}");
    let first = responses.iter().find(|response| response.header("idempotency-replayed").is_empty()).unwrap();
    assert_eq!((first.status.as_u16(), first["status"].as_str()), (200, Some("refunded")));
    assert_replayed(first, &owner.refund(&payment, &key).await);
    assert_eq!(app.messages("order_refunded").await, 1);
}

async fn an_accepted_refund_is_replayed_as_accepted(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let order = owner.order(&product, 1).await.expect(201);
    let payment = owner.payment(&order["id"]).await["id"].clone();
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let key = key();

    let first = owner.refund(&payment, &key).await;
    assert_eq!(first.status.as_u16(), 202);
    app.gateway_recovers().await;
    owner.order_becomes(&order["id"], "refunded").await;

    assert_replayed(&first, &owner.refund(&payment, &key).await);
}
