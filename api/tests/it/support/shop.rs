//! Helpers for orders, payments, stock and the charges of the gateway simulator.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Client, Response, TestApp, eventually};

/// Short timeouts for a failing gateway, and quick reconciliation of open payments.
pub(crate) const SHORT_TIMEOUTS: &[(&str, &str)] = &[
    ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "600"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", "1"),
    ("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_FAILURES", "1000"),
    ("GLASSHOUSE_RECONCILE_AFTER_SECONDS", "1"),
    ("GLASSHOUSE_RECONCILE_LEASE_SECONDS", "1"),
];

/// Effectively no background work during the test.
pub(crate) const NO_WORKER: &[(&str, &str)] =
    &[("GLASSHOUSE_OUTBOX_POLL_MS", "600000"), ("GLASSHOUSE_RECONCILE_POLL_MS", "600000")];

/// Runs requests concurrently, and waits for all responses.
pub(crate) async fn concurrently<T>(requests: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    join_all(requests).await
}

/// The number of responses by status.
pub(crate) fn statuses(responses: &[Response]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for response in responses {
        *counts.entry(response.status.as_u16()).or_default() += 1;
    }
    counts
}

impl Client {
    /// Adds a product with this price. Returns its id.
    pub(crate) async fn add_product_at(&self, price_minor: i64, currency: &str) -> String {
        let sku = format!("SKU-{}", uuid::Uuid::now_v7().simple());
        let product = json!({
            "sku": sku, "name": "Mug", "price_minor": price_minor, "currency": currency, "stock": 1_000_000
        });
        self.post("/v1/products", product).await.expect(201)["id"].as_str().unwrap().to_owned()
    }

    /// Orders several products, with a new idempotency key.
    pub(crate) async fn order_all(&self, lines: &[(&str, i64)]) -> Response {
        let line = |(product, quantity): &(&str, i64)| json!({ "product_id": product, "quantity": quantity });
        let items: Vec<Value> = lines.iter().map(line).collect();
        self.post_once("/v1/orders", &super::key(), json!({ "items": items })).await
    }

    pub(crate) async fn cancel(&self, order: &Value, key: &str) -> Response {
        self.post_once(&format!("/v1/orders/{}/cancel", order.as_str().unwrap()), key, json!({})).await
    }

    pub(crate) async fn refund(&self, payment: &Value, key: &str) -> Response {
        self.post_once(&format!("/v1/payments/{}/refund", payment.as_str().unwrap()), key, json!({})).await
    }

    pub(crate) async fn move_stock(&self, product: &str, delta: i64, key: &str) -> Response {
        self.post_once(&format!("/v1/products/{product}/stock"), key, json!({ "delta": delta })).await
    }

    /// Waits until an order has this status.
    pub(crate) async fn order_becomes(&self, order: &Value, status: &str) {
        eventually(&format!("order {order} becomes {status}"), async || {
            (self.order_status(order).await == status).then_some(())
        })
        .await;
    }

    /// Waits until the payment of an order has this status.
    pub(crate) async fn payment_becomes(&self, order: &Value, status: &str) -> Value {
        eventually(&format!("the payment of order {order} becomes {status}"), async || {
            Some(self.payment(order).await).filter(|payment| payment["status"] == status)
        })
        .await
    }
}

impl TestApp {
    /// The number of charges at the gateway, whatever their outcome.
    pub(crate) async fn charges_at_gateway(&self) -> i64 {
        self.gateway().get("/v1/charges").await.expect(200)["total"].as_i64().unwrap()
    }

    /// The status of a payment's charge at the gateway.
    pub(crate) async fn status_at_gateway(&self, payment: &Value) -> String {
        self.charge_at_gateway(payment).await.expect(200)["status"].as_str().unwrap().to_owned()
    }

    /// Resets the behavior of the gateway.
    pub(crate) async fn gateway_recovers(&self) {
        self.gateway_behaves(json!({})).await;
    }

    /// The URL of this application's gateway simulator, as a setting of another application.
    pub(crate) fn gateway_url(&self) -> String {
        format!("http://{}", self.addresses.gateway.unwrap())
    }

    /// The number of outbox messages of a kind.
    pub(crate) async fn messages(&self, kind: &str) -> i64 {
        self.database
            .number(&format!("SELECT count(*) AS n FROM outbox_messages WHERE kind = '{kind}'"))
            .await
    }
}
