//! Log records: their fields, and their correlation by trace and request id.

use serde_json::{Value, json};

use crate::command_line::Stack;
use crate::support::{eventually, log_lines};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_of_a_request_has_its_ids() {
    let mut stack = Stack::start([]).await;
    let (owner, product, _) = stack.shop().await;
    let order = owner.order(&product, 1).await;
    let request = order.header("x-request-id").to_owned();
    let trace = order.header("traceparent").split('-').nth(1).unwrap().to_owned();

    let lines = eventually("the request is logged", async || {
        let lines = log_lines(&stack.serve.stdout());
        let lines: Vec<_> = lines.into_iter().filter(|line| line["request_id"] == *request).collect();
        lines.iter().any(|line| line["message"] == "request_completed").then_some(lines)
    })
    .await;
    for event in ["order_placed", "payment_succeeded", "request_completed"] {
        assert!(lines.iter().any(|line| line["message"] == event), "{event}: {lines:?}");
    }
    for line in &lines {
        assert_eq!(line["trace_id"], *trace, "{line}");
        for field in ["timestamp", "level", "target", "span_id", "tenant_id", "user_id"] {
            assert!(line[field].as_str().is_some_and(|value| !value.is_empty()), "{field}: {line}");
        }
        assert_eq!((line["method"].as_str(), line["path"].as_str()), (Some("POST"), Some("/v1/orders")));
    }
    let completed = lines.iter().find(|line| line["message"] == "request_completed").unwrap();
    assert_eq!(completed["status_code"], 201);
    assert!(completed["duration_ms"].as_f64().unwrap() > 0.0);

    let delivered = stack.worker.logs("outbox_delivered").await;
    assert_eq!(
        (&delivered["trace_id"], &delivered["job"]),
        (&Value::from(trace), &Value::from("outbox_relay"))
    );
    assert_eq!(delivered["tenant_id"], completed["tenant_id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_an_admin_creates_is_logged_as_created() {
    let mut stack = Stack::start([]).await;
    let (owner, _, _) = stack.shop().await;
    let body = json!({ "email": "grace@example.com", "password": "correct horse", "role": "member" });
    let user = owner.post("/v1/users", body).await.expect(201);
    let created = stack.serve.logs("user_created").await;
    assert_eq!((&created["user_id"], &created["role"]), (&user["id"], &json!("member")));
    let registered = stack.serve.logs("user_registered").await;
    assert_eq!(created["tenant_id"], registered["tenant_id"]);
    assert_ne!(created["user_id"], registered["user_id"], "only the owner signed up");
}
