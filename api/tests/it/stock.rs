//! Stock movements.

use serde_json::json;

use crate::support::{Backend, NO_WORKER, SHORT_TIMEOUTS, TestApp, concurrently, key, on_both, statuses};

on_both!(
    stock_is_added_and_removed,
    stock_stays_in_its_range,
    concurrent_movements_add_up,
    stock_that_pending_orders_hold_counts_at_a_refill,
    no_order_of_refills_and_orders_exceeds_the_maximum,
    units_return_whatever_the_stock_is,
);

const FULL: i64 = 1_000_000_000;

async fn stock_is_added_and_removed(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;

    assert_eq!(owner.move_stock(&product, 5, &key()).await.expect(200)["stock"], 15);
    assert_eq!(owner.move_stock(&product, -15, &key()).await.expect(200)["stock"], 0);
    assert_eq!(owner.stock(&product).await, 0);
}

async fn stock_stays_in_its_range(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (few, full) = (owner.add_product(3).await, owner.add_product(FULL).await);

    owner.move_stock(&few, -4, &key()).await.expect_problem(409, "stock_out_of_range");
    owner.move_stock(&full, 1, &key()).await.expect_problem(409, "stock_out_of_range");
    for delta in [0, 1_000_001, -1_000_001, i64::MIN] {
        owner.move_stock(&few, delta, &key()).await.expect_problem(422, "invalid_fields");
    }
    assert_eq!((owner.stock(&few).await, owner.stock(&full).await), (3, FULL));
}

async fn concurrent_movements_add_up(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100).await;

    let moves = async |delta| owner.move_stock(&product, delta, &key()).await;
    let responses = concurrently((0..40).map(|n| moves(if n % 2 == 0 { 3 } else { -2 }))).await;

    assert_eq!(statuses(&responses), [(200, 40)].into());
    assert_eq!(owner.stock(&product).await, 120);
}

async fn stock_that_pending_orders_hold_counts_at_a_refill(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(FULL).await;
    let paid = owner.order(&product, 10).await.expect(201);
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let [first, second] =
        [owner.order(&product, 5).await.expect(202), owner.order(&product, 3).await.expect(202)];

    // 18 units left the stock, but 8 of them may return.
    let rejected = owner.move_stock(&product, 11, &key()).await.expect_problem(409, "stock_out_of_range");
    assert!(rejected["detail"].as_str().unwrap().ends_with("pending orders hold 8"), "{rejected}");
    owner.move_stock(&product, 10, &key()).await.expect(200);
    owner.move_stock(&product, 1, &key()).await.expect_problem(409, "stock_out_of_range");

    owner.cancel(&first["id"], &key()).await.expect(200);
    app.gateway_behaves(json!({ "decline_rate": 1 })).await;
    owner.order_becomes(&second["id"], "payment_failed").await;
    assert_eq!(owner.stock(&product).await, FULL);
    assert_eq!(owner.order_status(&paid["id"]).await, "paid");
}

async fn no_order_of_refills_and_orders_exceeds_the_maximum(backend: Backend) {
    let app = TestApp::start_with(backend, NO_WORKER).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(FULL).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let order = async |n: i64| owner.order(&product, 1 + n % 3).await;
    let refill = async |_| owner.move_stock(&product, 2, &key()).await;

    let (orders, refills) = tokio::join!(concurrently((0..20).map(order)), concurrently((0..20).map(refill)));

    assert!(refills.iter().all(|refill| matches!(refill.status.as_u16(), 200 | 409)), "{refills:?}");
    let cancelled = orders.iter().map(|order| async { owner.cancel(&order["id"], &key()).await });
    let refill = async |_| owner.move_stock(&product, 2, &key()).await;
    let (cancelled, _) = tokio::join!(concurrently(cancelled), concurrently((0..20).map(refill)));
    assert_eq!(statuses(&cancelled), [(200, 20)].into());
    assert!(owner.stock(&product).await <= FULL);
}

/// An earlier version allowed more stock than the maximum.
async fn units_return_whatever_the_stock_is(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(FULL).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let [first, second] =
        [owner.order(&product, 5).await.expect(202), owner.order(&product, 3).await.expect(202)];
    let largest = i64::from(i32::MAX);
    app.database.query(&format!("UPDATE products SET stock = {}", largest - 1)).await;

    owner.cancel(&first["id"], &key()).await.expect(200);
    assert_eq!(owner.stock(&product).await, largest);
    app.gateway_behaves(json!({ "decline_rate": 1 })).await;
    owner.order_becomes(&second["id"], "payment_failed").await;

    assert_eq!(owner.stock(&product).await, largest);
    owner.move_stock(&product, 1, &key()).await.expect_problem(409, "stock_out_of_range");
    assert_eq!(owner.move_stock(&product, -6, &key()).await.expect(200)["stock"], largest - 6);
    assert_eq!(owner.order(&product, 1).await.expect(201)["status"], "payment_failed");
}
