//! Cancellations of pending orders, and refunds.

use serde_json::{Value, json};

use crate::support::{Backend, Client, SHORT_TIMEOUTS, Scrape, TestApp, eventually, key, on_both};

on_both!(
    a_cancelled_order_frees_its_stock_at_once_and_is_never_charged,
    a_charge_that_precedes_its_cancellation_is_refunded,
    an_order_can_be_cancelled_while_its_charge_is_in_progress,
    only_a_pending_order_can_be_cancelled,
    members_cancel_their_own_orders_and_admins_any_order,
    a_refund_does_not_move_stock,
    a_payment_is_refunded_once,
    a_refund_that_the_gateway_fails_is_completed_later,
    a_refund_without_a_gateway_response_is_completed_once,
    only_a_successful_payment_is_refunded,
    members_cannot_refund,
    unknown_orders_and_payments_are_not_found,
);

async fn shop(backend: Backend) -> (TestApp, Client, String) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    (app, owner, product)
}

async fn paid(client: &Client, product: &str) -> (Value, Value) {
    let order = client.order(product, 4).await.expect(201)["id"].clone();
    let payment = client.payment(&order).await["id"].clone();
    (order, payment)
}

async fn a_cancelled_order_frees_its_stock_at_once_and_is_never_charged(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let order = owner.order(&product, 4).await.expect(202)["id"].clone();
    assert_eq!(owner.stock(&product).await, 6);

    assert_eq!(owner.cancel(&order, &key()).await.expect(200)["status"], "cancelled");
    assert_eq!(owner.stock(&product).await, 10);
    assert_eq!(owner.payment(&order).await["status"], "pending");

    app.gateway_recovers().await;
    let payment = owner.payment_becomes(&order, "declined").await;
    let charge = app.charge_at_gateway(&payment["id"]).await.expect(200);
    assert_eq!((&charge["status"], &charge["decline_reason"]), (&json!("declined"), &json!("voided")));
    assert_eq!((owner.order_status(&order).await.as_str(), owner.stock(&product).await), ("cancelled", 10));
}

async fn a_charge_that_precedes_its_cancellation_is_refunded(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    app.gateway_behaves(json!({ "timeout_rate": 1 })).await;
    let order = owner.order(&product, 4).await.expect(202)["id"].clone();
    owner.cancel(&order, &key()).await.expect(200);
    let payment = owner.payment(&order).await["id"].clone();
    assert_eq!(app.status_at_gateway(&payment).await, "succeeded");

    app.gateway_recovers().await;
    owner.payment_becomes(&order, "refunded").await;
    assert_eq!(app.status_at_gateway(&payment).await, "refunded");
    assert_eq!((owner.order_status(&order).await.as_str(), owner.stock(&product).await), ("cancelled", 10));
    assert_eq!((app.messages("order_paid").await, app.messages("order_refunded").await), (0, 1));
    let scrape = Scrape::of(&app.management()).await;
    let entered = |status: &str| scrape.sum("orders_total", &format!("status=\"{status}\""));
    assert_eq!((entered("cancelled"), entered("refunded")), (1.0, 0.0), "the order was cancelled once");
}

/// The charge and the void race at the gateway; both outcomes must end in the same state.
async fn an_order_can_be_cancelled_while_its_charge_is_in_progress(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    app.gateway_behaves(json!({ "latency_ms": 300 })).await;
    let (client, wanted) = (owner.clone(), product.clone());
    let placing = tokio::spawn(async move { client.order(&wanted, 4).await });
    let order = eventually("the order is reserved", async || {
        Some(owner.get("/v1/orders").await.expect(200)["items"][0]["id"].clone()).filter(Value::is_string)
    })
    .await;

    owner.cancel(&order, &key()).await.expect(200);

    assert_eq!(placing.await.unwrap().expect(201)["status"], "cancelled");
    let payment = eventually("the payment is settled", async || {
        let payment = owner.payment(&order).await;
        ["declined", "refunded"].iter().any(|state| payment["status"] == *state).then_some(payment)
    })
    .await;
    assert_eq!(app.status_at_gateway(&payment["id"]).await, payment["status"].as_str().unwrap());
    assert_eq!((owner.order_status(&order).await.as_str(), owner.stock(&product).await), ("cancelled", 10));
    assert_eq!(app.messages("order_paid").await, 0);
}

async fn only_a_pending_order_can_be_cancelled(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    let (order, _) = paid(&owner, &product).await;
    owner.cancel(&order, &key()).await.expect_problem(409, "order_not_pending");
    assert_eq!((owner.order_status(&order).await.as_str(), owner.stock(&product).await), ("paid", 6));

    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let order = owner.order(&product, 4).await.expect(202)["id"].clone();
    owner.cancel(&order, &key()).await.expect(200);
    owner.cancel(&order, &key()).await.expect_problem(409, "order_not_pending");
    assert_eq!(owner.stock(&product).await, 6);
}

async fn members_cancel_their_own_orders_and_admins_any_order(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    let (member, admin) = (app.add_user(&owner, "member").await, app.add_user(&owner, "admin").await);
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let owners = owner.order(&product, 1).await.expect(202)["id"].clone();
    let members = member.order(&product, 1).await.expect(202)["id"].clone();

    member.cancel(&owners, &key()).await.expect_problem(403, "not_your_order");
    assert_eq!(owner.order_status(&owners).await, "pending");
    member.cancel(&members, &key()).await.expect(200);
    admin.cancel(&owners, &key()).await.expect(200);
}

async fn a_refund_does_not_move_stock(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    let (order, payment) = paid(&owner, &product).await;

    assert_eq!(owner.refund(&payment, &key()).await.expect(200)["status"], "refunded");

    assert_eq!(app.status_at_gateway(&payment).await, "refunded");
    assert_eq!((owner.order_status(&order).await.as_str(), owner.stock(&product).await), ("refunded", 6));
}

async fn a_payment_is_refunded_once(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    let (_, payment) = paid(&owner, &product).await;
    owner.refund(&payment, &key()).await.expect(200);
    owner.refund(&payment, &key()).await.expect_problem(409, "payment_not_refundable");
    assert_eq!(app.messages("order_refunded").await, 1);
}

async fn a_refund_that_the_gateway_fails_is_completed_later(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    let (order, payment) = paid(&owner, &product).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;

    let noted = owner.refund(&payment, &key()).await.expect(202);
    assert_eq!(noted["status"], "succeeded");
    assert!(noted["refund_requested_at"].is_string(), "{noted}");
    assert_eq!(owner.order_status(&order).await, "paid");

    app.gateway_recovers().await;
    owner.payment_becomes(&order, "refunded").await;
    assert_eq!(owner.order_status(&order).await, "refunded");
    assert_eq!(app.status_at_gateway(&payment).await, "refunded");
}

async fn a_refund_without_a_gateway_response_is_completed_once(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    let (order, payment) = paid(&owner, &product).await;
    app.gateway_behaves(json!({ "timeout_rate": 1 })).await;

    owner.refund(&payment, &key()).await.expect(202);
    assert_eq!(app.status_at_gateway(&payment).await, "refunded");
    owner.refund(&payment, &key()).await.expect(202);

    app.gateway_recovers().await;
    owner.order_becomes(&order, "refunded").await;
    assert_eq!(app.messages("order_refunded").await, 1);
}

async fn only_a_successful_payment_is_refunded(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    for behavior in [json!({ "decline_rate": 1 }), json!({ "error_rate": 1 })] {
        app.gateway_behaves(behavior).await;
        let order = owner.order(&product, 1).await;
        let payment = owner.payment(&order["id"]).await;
        owner.refund(&payment["id"], &key()).await.expect_problem(409, "payment_not_refundable");
        assert_eq!(owner.payment(&order["id"]).await["refund_requested_at"], Value::Null);
    }
}

async fn members_cannot_refund(backend: Backend) {
    let (app, owner, product) = shop(backend).await;
    let member = app.add_user(&owner, "member").await;
    let (order, payment) = paid(&member, &product).await;
    member.refund(&payment, &key()).await.expect_problem(403, "admin_only");
    assert_eq!(owner.order_status(&order).await, "paid");
}

async fn unknown_orders_and_payments_are_not_found(backend: Backend) {
    let (_app, owner, product) = shop(backend).await;
    let nothing = json!(uuid::Uuid::now_v7());
    owner.cancel(&nothing, &key()).await.expect_problem(404, "not_found");
    owner.refund(&nothing, &key()).await.expect_problem(404, "not_found");
    owner.move_stock(nothing.as_str().unwrap(), 1, &key()).await.expect_problem(404, "not_found");
    assert_eq!(owner.stock(&product).await, 10);
}
