//! Smoke test: sign-up, order, payment, refund, and their notifications.

use serde_json::json;

use crate::support::{Backend, TestApp, eventually, key, on_both};

on_both!(sign_up_sell_and_refund);

async fn sign_up_sell_and_refund(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;

    let order = owner.order(&product, 3).await.expect(201);
    assert_eq!((order["status"].as_str(), order["total_minor"].as_i64()), (Some("paid"), Some(3750)));
    assert_eq!(owner.stock(&product).await, 7);

    let payment = owner.payment(&order["id"]).await;
    assert_eq!(payment["status"], "succeeded");
    assert_eq!(app.charge_at_gateway(&payment["id"]).await.expect(200)["amount_minor"], 3750);

    let refund = format!("/v1/payments/{}/refund", payment["id"].as_str().unwrap());
    let refunded = owner.post_once(&refund, &key(), json!({})).await.expect(200);
    assert_eq!(refunded["status"], "refunded");
    assert_eq!(owner.order_status(&order["id"]).await, "refunded");

    let delivered = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL";
    eventually("confirmation and refund are both delivered", async || {
        (app.database.number(delivered).await == 2).then_some(())
    })
    .await;
}
