//! Stock movements.

use serde_json::json;

use crate::support::{Backend, SHORT_TIMEOUTS, TestApp, concurrently, key, on_both, statuses};

on_both!(
    stock_is_added_and_removed,
    stock_stays_in_its_range,
    concurrent_movements_add_up,
    a_cancelled_order_releases_its_stock_even_above_the_maximum,
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

async fn a_cancelled_order_releases_its_stock_even_above_the_maximum(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(FULL).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let order = owner.order(&product, 5).await.expect(202);
    owner.move_stock(&product, 5, &key()).await.expect(200);

    owner.cancel(&order["id"], &key()).await.expect(200);

    assert_eq!(owner.stock(&product).await, FULL + 5);
    assert_eq!(owner.move_stock(&product, -6, &key()).await.expect(200)["stock"], FULL - 1);
}
