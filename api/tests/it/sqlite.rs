//! SQLite: its single writer is not visible to clients, and data is durable.

use serde_json::Value;

use crate::support::{Backend, PASSWORD, TestApp, TestDatabase};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_writers_and_their_readers_are_all_served() {
    let app = TestApp::start(Backend::Embedded).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    let spawn = |n: usize| {
        let (owner, product) = (owner.clone(), product.clone());
        tokio::spawn(async move {
            for _ in 0..4 {
                match n % 3 {
                    0 => owner.get("/v1/orders").await.expect(200),
                    1 => owner.get(&format!("/v1/products/{product}")).await.expect(200),
                    _ => owner.get("/v1/reports/revenue?from=2020-01-01&to=2020-02-01").await.expect(200),
                };
                owner.order(&product, 1).await.expect(201);
            }
        })
    };
    let clients: Vec<_> = (0..50).map(spawn).collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(owner.stock(&product).await, 1000 - 50 * 4);
    assert_eq!(app.database.number("SELECT count(*) AS n FROM orders WHERE state = 'paid'").await, 50 * 4);
}

#[tokio::test]
async fn the_write_ahead_log_is_on() {
    let app = TestApp::start(Backend::Embedded).await;
    let mode: String =
        app.database.query("PRAGMA journal_mode").await[0].try_get("", "journal_mode").unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn data_survives_a_restart() {
    let app = TestApp::start(Backend::Embedded).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let order = owner.order(&product, 3).await.expect(201);
    let (tenant, database): (String, TestDatabase) = (owner.tenant().to_owned(), app.stop().await);

    let app = TestApp::start_on(database, &[]).await;
    let email = format!("owner@{tenant}.example");
    let owner = app.anonymous().log_in(&tenant, &email, PASSWORD).await;
    assert_eq!(owner.order_status(&order["id"]).await, "paid");
    assert_eq!(owner.stock(&product).await, 7);
    let orders: Value = owner.get("/v1/orders").await.expect(200);
    assert_eq!(orders["items"], serde_json::json!([order]));
}
