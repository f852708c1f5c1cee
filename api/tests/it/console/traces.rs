//! The stream of requests, and their traces.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Demo, spans};
use crate::support::{PASSWORD, Response, key, new_slug, new_trace, traceparent};

fn has_span(trace: &Value, name: &str) -> bool {
    spans(trace).iter().any(|span| span["name"] == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_appears_with_its_whole_trace() {
    let demo = Demo::start(&["demo"], &[]).await;
    let mut events = demo.events().await;
    assert_eq!(events.next().await.unwrap().0, "history");
    events.find("tick", |tick| tick["health"]["database"] == "ok").await;

    let owner = demo.api.log_in("acme", "owner@acme.example", "demo-password").await;
    let products = owner.get("/v1/products").await.expect(200);
    let trace = new_trace();
    let basket = json!({ "items": [{ "product_id": products["items"][0]["id"], "quantity": 1 }] });
    let order = owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", key());
    let order = Response::of(order.header("traceparent", traceparent(&trace)).json(&basket)).await;
    let order = order.expect(201);

    let completed = events
        .find("requests", |requests| {
            requests.as_array().unwrap().iter().any(|request| request["trace_id"] == *trace)
        })
        .await;
    let request = completed.as_array().unwrap().iter().find(|request| request["trace_id"] == *trace).unwrap();
    assert_eq!(
        (&request["name"], &request["attributes"]["http.response.status_code"]),
        (&json!("POST /v1/orders"), &json!("201"))
    );
    assert_eq!(
        completed.as_array().unwrap().iter().filter(|other| other["trace_id"] == *trace).count(),
        1,
        "the gateway's part is no request of its own"
    );

    // One tree across API, database, gateway and worker, with what the outbox did later.
    let kept = demo
        .trace(&trace, |trace| has_span(trace, "send_confirmation") && has_span(trace, "deliver order_paid"))
        .await;
    for name in ["POST /v1/orders", "process_order", "charge_payment", "POST /v1/charges", "settle"] {
        assert!(
            has_span(&kept, name),
            "{name}: {:?}",
            spans(&kept).iter().map(|span| &span["name"]).collect::<Vec<_>>()
        );
    }
    let ids: BTreeSet<_> = spans(&kept).iter().map(|span| span["span_id"].as_str().unwrap()).collect();
    let outside = spans(&kept)
        .iter()
        .filter(|span| !span["parent_span_id"].as_str().is_some_and(|id| ids.contains(id)));
    assert_eq!(outside.map(|span| span["name"].as_str().unwrap()).collect::<Vec<_>>(), ["POST /v1/orders"]);
    let statements = spans(&kept).iter().filter(|span| span["attributes"]["db.query.text"].is_string());
    assert!(statements.count() >= 6);
    let messages: Vec<_> = kept["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["message"].as_str().unwrap())
        .collect();
    for message in ["order_placed", "payment_succeeded", "request_completed", "outbox_delivered"] {
        assert!(messages.contains(&message), "{message}: {messages:?}");
    }
    // The log record is the one on standard output.
    let mut process = demo.process;
    let logged = process.logs("order_placed").await;
    assert_eq!((&logged["order_id"], &logged["trace_id"]), (&order["id"], &json!(trace)));
    let record = kept["records"]
        .as_array()
        .unwrap()
        .iter()
        .find(|record| record["message"] == "order_placed")
        .unwrap();
    assert_eq!(record, &logged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_has_no_secret_and_is_sent_nowhere() {
    let demo = Demo::start(&["demo"], &[]).await;
    let (slug, email) = (new_slug(), "canary@example.com");
    let owner = json!({ "email": email, "password": PASSWORD });
    let tenant = json!({ "slug": slug, "name": slug, "owner": owner });
    let response = demo.api.post("/v1/tenants", tenant).await;
    let traceparent = response.header("traceparent").to_owned();
    assert!(traceparent.ends_with("-00"), "no other service is asked to record it: {traceparent}");
    let token = demo.api.log_in(&slug, email, PASSWORD).await.token().to_owned();
    let mut events = demo.events().await;
    let is_login = |request: &Value| request["name"] == "POST /v1/auth/login";
    let completed = events.find("requests", |all| all.as_array().unwrap().iter().any(is_login)).await;
    let mut everything = completed.to_string();
    for request in completed.as_array().unwrap() {
        let path = format!("/console/traces/{}", request["trace_id"].as_str().unwrap());
        everything.push_str(&demo.management.get(&path).await.expect(200).to_string());
    }
    assert!(everything.contains("user_login_successful"), "{everything}");
    for secret in [email, PASSWORD, &token] {
        assert!(!everything.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_the_stream() {
    let demo = Demo::start(&["demo", "--traffic"], &[]).await;
    let mut events = demo.events().await;
    events.find("requests", |_| true).await;
    demo.process.signal("TERM");
    while events.next().await.is_some() {}
    assert_eq!(demo.process.ends().await.code, Some(0));
}
