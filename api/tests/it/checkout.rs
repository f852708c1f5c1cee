//! Checkout under concurrency: no overselling, and no deadlocks.

use serde_json::json;

use crate::support::{Backend, TestApp, concurrently, on_both, statuses};

on_both!(
    stock_is_never_oversold,
    baskets_in_opposite_orders_do_not_block_each_other,
    an_order_without_enough_stock_reserves_nothing,
    items_of_one_product_are_merged,
);

/// Settings for many concurrent requests, which may wait for each other.
const CROWD: &[(&str, &str)] = &[
    ("DATABASE_POOL_SIZE", "20"),
    ("DATABASE_ACQUIRE_TIMEOUT_MS", "60000"),
    ("GLASSHOUSE_REQUEST_TIMEOUT_MS", "60000"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "60000"),
];

async fn stock_is_never_oversold(backend: Backend) {
    let app = TestApp::start_with(backend, CROWD).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(50).await;

    let responses = concurrently((0..200).map(|_| owner.order(&product, 1))).await;

    assert_eq!(statuses(&responses), [(201, 50), (409, 150)].into());
    for response in responses {
        match response.status.as_u16() {
            201 => assert_eq!(response["status"], "paid"),
            _ => drop(response.expect_problem(409, "out_of_stock")),
        }
    }
    assert_eq!(owner.stock(&product).await, 0);
    let count = async |from: &str| app.database.number(&format!("SELECT count(*) AS n FROM {from}")).await;
    assert_eq!(count("orders WHERE state = 'paid'").await, 50);
    assert_eq!(count("orders").await, 50);
    assert_eq!(
        count("payments JOIN orders ON orders.id = order_id WHERE payments.state = 'succeeded'").await,
        50
    );
    assert_eq!(count("payments").await, 50);
    assert_eq!(app.charges_at_gateway().await, 50);
}

/// Half of the charges are declined, so that stock is released while other orders reserve it.
async fn baskets_in_opposite_orders_do_not_block_each_other(backend: Backend) {
    let app = TestApp::start_with(backend, CROWD).await;
    let owner = app.new_tenant().await;
    let mut products = Vec::new();
    for _ in 0..4 {
        products.push(owner.add_product(1000).await);
    }
    let forwards: Vec<_> = products.iter().map(|product| (product.as_str(), 2)).collect();
    let backwards: Vec<_> = forwards.iter().rev().copied().collect();
    app.gateway_behaves(json!({ "decline_rate": 0.5 })).await;

    let baskets = (0..80).map(|n| if n % 2 == 0 { &forwards } else { &backwards });
    let responses = concurrently(baskets.map(|basket| owner.order_all(basket))).await;

    assert_eq!(statuses(&responses), [(201, 80)].into());
    let paid = responses.iter().filter(|response| response["status"] == "paid").count();
    for product in &products {
        assert_eq!(owner.stock(product).await, 1000 - 2 * i64::try_from(paid).unwrap());
    }
}

async fn an_order_without_enough_stock_reserves_nothing(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (plenty, scarce) = (owner.add_product(10).await, owner.add_product(1).await);

    let problem = owner.order_all(&[(&plenty, 3), (&scarce, 2)]).await.expect_problem(409, "out_of_stock");

    assert!(problem["detail"].as_str().unwrap().contains(&scarce), "{problem}");
    assert_eq!((owner.stock(&plenty).await, owner.stock(&scarce).await), (10, 1));
    assert_eq!(app.database.number("SELECT count(*) AS n FROM orders").await, 0);
    assert_eq!(app.charges_at_gateway().await, 0);
}

async fn items_of_one_product_are_merged(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(5).await;

    owner.order_all(&[(&product, 3), (&product, 3)]).await.expect_problem(409, "out_of_stock");
    let order = owner.order_all(&[(&product, 3), (&product, 2)]).await.expect(201);

    assert_eq!(order["items"].as_array().unwrap().len(), 1);
    assert_eq!((&order["items"][0]["quantity"], &order["total_minor"]), (&json!(5), &json!(6250)));
    assert_eq!(owner.stock(&product).await, 0);
}
