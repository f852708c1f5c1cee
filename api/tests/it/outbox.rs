//! The outbox: messages are delivered once normally, and at least once always.

use serde_json::json;

use crate::support::{
    Backend, NO_WORKER, TestApp, TestDatabase, concurrently, eventually, key, on_both, statuses,
};

on_both!(
    payment_and_refund_are_delivered_once_each,
    a_message_of_a_crashed_worker_is_delivered_by_another,
    a_leased_message_is_not_taken_by_another_worker,
    workers_share_the_messages,
    an_unreadable_message_does_not_block_others,
);

/// The attempts of each delivered message.
async fn delivered(database: &TestDatabase) -> Vec<i32> {
    let rows = database.query("SELECT attempts FROM outbox_messages WHERE delivered_at IS NOT NULL").await;
    rows.iter().map(|row| row.try_get("", "attempts").unwrap()).collect()
}

async fn all_are_delivered(database: &TestDatabase, number: usize) -> Vec<i32> {
    eventually("all messages are delivered", async || {
        Some(delivered(database).await).filter(|attempts| attempts.len() == number)
    })
    .await
}

/// The database of an application that has stopped with `orders` undelivered messages.
async fn undelivered(backend: Backend, orders: usize) -> TestDatabase {
    let app = TestApp::start_with(backend, NO_WORKER).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    let responses = concurrently((0..orders).map(|_| owner.order(&product, 1))).await;
    assert_eq!(statuses(&responses), [(201, orders)].into());
    assert!(delivered(&app.database).await.is_empty());
    app.stop().await
}

async fn payment_and_refund_are_delivered_once_each(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let order = owner.order(&product, 1).await.expect(201);
    let payment = owner.payment(&order["id"]).await;
    owner.refund(&payment["id"], &key()).await.expect(200);

    assert_eq!(all_are_delivered(&app.database, 2).await, [1, 1]);
    assert_eq!((app.messages("order_paid").await, app.messages("order_refunded").await), (1, 1));
}

async fn a_message_of_a_crashed_worker_is_delivered_by_another(backend: Backend) {
    let database = undelivered(backend, 1).await;
    // It was leased once and not delivered, and its lease has expired.
    database.query("UPDATE outbox_messages SET attempts = 1 RETURNING id").await;

    let app = TestApp::start_on(database, &[]).await;

    assert_eq!(all_are_delivered(&app.database, 1).await, [2]);
}

async fn a_leased_message_is_not_taken_by_another_worker(backend: Backend) {
    let database = undelivered(backend, 1).await;
    let lease = "UPDATE outbox_messages SET available_at = '2999-01-01T00:00:00Z', attempts = 7 RETURNING id";
    database.query(lease).await;

    let app = TestApp::start_on(database, &[]).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1).await;
    owner.order(&product, 1).await.expect(201);

    assert_eq!(all_are_delivered(&app.database, 1).await, [1]);
}

async fn workers_share_the_messages(backend: Backend) {
    let database = undelivered(backend, 60).await;
    let settings = [("GLASSHOUSE_WORKER_BATCH", "4"), ("GLASSHOUSE_OUTBOX_POLL_MS", "5")];

    let _apps = concurrently((0..3).map(|_| TestApp::start_on(database.clone(), &settings))).await;

    assert_eq!(all_are_delivered(&database, 60).await, [1; 60]);
}

/// A newer version that runs concurrently may write such a message.
async fn an_unreadable_message_does_not_block_others(backend: Backend) {
    let database = undelivered(backend, 2).await;
    let event = json!({ "kind": "order_framed", "order": uuid::Uuid::now_v7() });
    let one = "id IN (SELECT id FROM outbox_messages LIMIT 1)";
    database.query(&format!("UPDATE outbox_messages SET event = '{event}' WHERE {one} RETURNING id")).await;

    let app = TestApp::start_on(database, &[]).await;

    assert_eq!(all_are_delivered(&app.database, 1).await, [1]);
}
