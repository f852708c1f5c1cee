//! Log lines: what they say, and that they lead to each other.

use serde_json::Value;

use crate::command_line::Stack;
use crate::support::{eventually, log_lines};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_of_a_request_says_whose_it_is() {
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
async fn no_address_and_no_password_is_logged() {
    let mut stack = Stack::start([("RUST_LOG", "trace")]).await;
    let (owner, product, _) = stack.shop().await;
    owner.order(&product, 1).await.expect(201);
    let nobody = stack.serve.client("http_addr").await;
    let wrong = serde_json::json!({ "tenant": owner.tenant(), "email": "marked@example.com", "password": "marked-secret" });
    nobody.post("/v1/auth/login", wrong.clone()).await.expect(401);
    nobody.get("/v1/users?cursor=marked@example.com").await.expect_problem(401, "not_logged_in");
    stack.worker.logs("outbox_delivered").await;
    for process in [stack.serve, stack.worker, stack.gateway] {
        process.signal("TERM");
        let ended = process.ends().await;
        for mark in [
            "marked",
            "@example.com",
            crate::support::PASSWORD,
            owner.token(),
            &format!("owner@{}", owner.tenant()),
        ] {
            let line = ended.stdout.lines().find(|line| line.contains(mark));
            assert!(line.is_none(), "{mark}: {}", line.unwrap());
        }
    }
}
