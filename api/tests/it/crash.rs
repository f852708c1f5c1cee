//! The API is killed while it waits for the gateway: the worker completes its orders and refunds exactly once.

use serde_json::json;

use crate::command_line::Stack;
use crate::support::{Client, Response, eventually, key};

impl Stack {
    /// Kills the API during a request, after the gateway has executed the charge and before it responds.
    async fn kill_during(
        &self,
        request: impl Future<Output = Response> + Send + 'static,
        gateway: &Client,
        status: &str,
    ) {
        gateway.send(reqwest::Method::PUT, "/control", Some(json!({ "timeout_rate": 1 }))).await.expect(200);
        let request = tokio::spawn(request);
        eventually(&format!("the charge is {status}"), async || {
            let charges = gateway.get("/v1/charges").await.expect(200);
            (charges["newest"][0]["status"] == status).then_some(())
        })
        .await;
        self.serve.signal("KILL");
        assert!(request.await.unwrap_err().is_panic(), "the request gets no response");
        gateway.send(reqwest::Method::DELETE, "/control", None).await.expect(204);
    }

    async fn row_is(&self, what: &str, sql: &str) {
        eventually(what, async || (self.database.number(sql).await == 1).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_paid_once_though_the_api_was_killed() {
    let mut stack = Stack::start([]).await;
    let (owner, product, gateway) = stack.shop().await;

    let order = async move { owner.order(&product, 1).await };
    stack.kill_during(order, &gateway, "succeeded").await;

    stack.row_is("the order is paid", "SELECT count(*) AS n FROM orders WHERE state = 'paid'").await;
    stack.row_is("the stock is reserved", "SELECT count(*) AS n FROM products WHERE stock = 99999").await;
    stack
        .row_is(
            "the confirmation is delivered",
            "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL",
        )
        .await;
    assert_eq!(gateway.get("/v1/charges").await.expect(200)["total"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_is_completed_once_though_the_api_was_killed() {
    let mut stack = Stack::start([]).await;
    let (owner, product, gateway) = stack.shop().await;
    let order = owner.order(&product, 1).await.expect(201);
    let payment = owner.payment(&order["id"]).await;

    let refund = async move { owner.refund(&payment["id"], &key()).await };
    stack.kill_during(refund, &gateway, "refunded").await;

    stack.row_is("the order is refunded", "SELECT count(*) AS n FROM orders WHERE state = 'refunded'").await;
    let messages = "SELECT count(*) AS n FROM outbox_messages WHERE kind = 'order_refunded'";
    assert_eq!(stack.database.number(messages).await, 1);
}
