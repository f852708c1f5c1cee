//! Error events and transactions, at a Sentry that speaks the real protocol.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::command_line::{Stack, common, with};
use crate::support::{
    Behavior, Client, FakeSentry, Response, connect, eventually, key, log_lines, new_trace, traceparent,
};

/// The stack with a fake Sentry.
async fn with_sentry(sentry: &FakeSentry, more: &[(&str, &str)]) -> Stack {
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging");
    let settings = with(&common(), [("SENTRY_DSN", &*sentry.dsn()), attributes]);
    Stack::start_each(common(), with(&settings, more.iter().copied())).await
}

impl Stack {
    /// Makes all further orders fail after their charge: the outbox table is missing.
    async fn lose_the_outbox(&self) {
        let owner = connect(&self.database.superuser_url()).await;
        owner.execute_unprepared("ALTER TABLE outbox_messages RENAME TO gone").await.unwrap();
        owner.close().await.unwrap();
    }
}

/// Places an order in a trace of its own. Returns the trace id too.
async fn order(owner: &Client, product: &str) -> (String, Response) {
    let trace = new_trace();
    let items = json!({ "items": [{ "product_id": product, "quantity": 1 }] });
    let request = owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", key()).json(&items);
    (trace.clone(), Response::of(request.header("traceparent", traceparent(&trace))).await)
}

/// The fields of a log record that are not common to all records of a request.
fn own_fields(line: &Value) -> Value {
    let common =
        "timestamp level message target trace_id span_id request_id tenant_id user_id method path".split(' ');
    let mut fields = line.as_object().unwrap().clone();
    common.for_each(|field| drop(fields.remove(field)));
    Value::Object(fields)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_request_is_captured_with_its_trace_and_its_own_log_records() {
    let sentry = FakeSentry::start();
    let mut stack = with_sentry(&sentry, &[]).await;
    let (owner, product, _) = stack.shop().await;
    stack.lose_the_outbox().await;
    owner.get("/v1/orders/nonsense").await.expect(400);
    owner.with_own_connections().with_token("nonsense").get("/v1/orders").await.expect(401);
    let responses = join_all((0..6).map(|_| order(&owner, &product))).await;

    for (trace, response) in &responses {
        let request = response.header("x-request-id");
        assert_eq!((response.status.as_u16(), response["request_id"].as_str()), (500, Some(request)));
        let event = sentry.event_of(request).await;
        let (lines, end) = eventually("the log record is written", async || {
            let lines = log_lines(&stack.serve.stdout()).into_iter();
            let lines: Vec<_> = lines.filter(|line| line["request_id"] == request).collect();
            let end = lines.iter().position(|line| line["message"] == "unhandled_exception")?;
            Some((lines, end))
        })
        .await;
        let line = &lines[end];

        assert!(response.header("traceparent").contains(trace.as_str()), "{:?}", response.headers);
        assert_eq!(
            (&event["contexts"]["trace"]["trace_id"], &line["trace_id"]),
            (&json!(trace), &json!(trace))
        );
        assert_eq!(event["contexts"]["trace"]["span_id"], line["span_id"]);
        assert_eq!(event["user"], json!({ "id": line["user_id"] }));
        let tags =
            json!({ "request_id": request, "tenant_id": line["tenant_id"], "service": "glasshouse-api" });
        assert_eq!(event["tags"], tags);
        let exception = &event["exception"]["values"][0];
        assert_eq!(
            (&exception["type"], &exception["value"]),
            (&json!("unhandled_exception"), &line["cause"])
        );
        assert_eq!(event["transaction"], "POST /v1/orders");
        assert_eq!(event["environment"], "staging");
        assert_eq!(event["release"], concat!("glasshouse@", env!("CARGO_PKG_VERSION")));

        let breadcrumbs = event["breadcrumbs"]["values"].as_array().unwrap().iter();
        let fields = |data: &Value| if data.is_null() { json!({}) } else { data.clone() };
        let breadcrumbs: Vec<_> =
            breadcrumbs.map(|crumb| (&crumb["message"], fields(&crumb["data"]))).collect();
        let logged: Vec<_> = lines[..end].iter().map(|line| (&line["message"], own_fields(line))).collect();
        assert!(logged.iter().any(|(message, _)| *message == "order_placed"), "{lines:?}");
        assert_eq!(breadcrumbs, logged);
    }
    let of = |service: &str| -> Vec<Value> {
        let events = sentry.items("event").into_iter();
        events.filter(|event| event["tags"]["service"] == service).collect()
    };
    assert_eq!(
        of("glasshouse-api").len(),
        responses.len(),
        "one for each, and none for what the client did wrong"
    );

    let job = eventually("the error of the worker is captured", async || {
        of("glasshouse-worker").into_iter().next()
    })
    .await;
    assert_eq!(job["exception"]["values"][0]["type"], "background_job_failed");
    assert_eq!(job["tags"]["job"], "outbox_relay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_are_sent_on_demand_and_belong_to_the_same_trace() {
    let sentry = FakeSentry::start();
    let mut stack = with_sentry(&sentry, &[("SENTRY_TRACES_SAMPLE_RATE", "1")]).await;
    let (owner, product, _) = stack.shop().await;
    let (trace, response) = order(&owner, &product).await;
    let transaction = async |name: &str| {
        eventually(&format!("{name} arrives"), async || {
            let of_trace = |found: &Value| found["contexts"]["trace"]["trace_id"] == *trace;
            let found = sentry.items("transaction").into_iter().filter(of_trace);
            found.into_iter().find(|found| found["transaction"] == name)
        })
        .await
    };
    let served = transaction("POST /v1/orders").await;
    assert_eq!(served["tags"]["request_id"], response.header("x-request-id"));
    let names: Vec<_> = served["spans"].as_array().unwrap().iter().map(|span| &span["description"]).collect();
    for name in ["process_order", "reserve", "charge_payment", "POST /v1/charges", "settle"] {
        assert!(names.contains(&&json!(name)), "{name}: {names:?}");
    }
    let delivered = transaction("deliver order_paid").await;
    assert_eq!(delivered["tags"]["service"], "glasshouse-worker");
}

/// How many events and transactions the API has dropped.
async fn dropped(management: &Client) -> u64 {
    let metrics = management.get("/metrics").await.expect(200);
    let series = "telemetry_dropped_total{signal=\"errors\"} ";
    metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix(series)).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failing_sentry_does_not_accept_is_dropped_and_counted() {
    let sentry = FakeSentry::start();
    let mut stack = with_sentry(&sentry, &[]).await;
    let (owner, product, _) = stack.shop().await;
    let management = stack.serve.client("management_addr").await;
    stack.lose_the_outbox().await;
    assert_eq!(dropped(&management).await, 0);
    for behavior in [Behavior::Responds(500), Behavior::Hangs, Behavior::Responds(429)] {
        sentry.behaves(behavior);
        let before = dropped(&management).await;
        order(&owner, &product).await.1.expect(500);
        if let Behavior::Hangs = behavior {
            assert_eq!(dropped(&management).await, before, "the response came before the event was dropped");
        }
        eventually("the drop is counted", async || (dropped(&management).await == before + 1).then_some(()))
            .await;
    }
    // After the 429, nothing is sent to Sentry.
    let before = dropped(&management).await;
    let sent = sentry.received();
    let (_, response) = order(&owner, &product).await;
    eventually("the drop is counted", async || (dropped(&management).await == before + 1).then_some(()))
        .await;
    let sent = &sentry.received()[sent.len()..];
    assert!(!sent.iter().any(|envelope| envelope.contains(response.header("x-request-id"))), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_holds_for_its_category_alone() {
    for (limits, limited, passing) in
        [("60:error", "event", "transaction"), ("60:transaction:key", "transaction", "event")]
    {
        let sentry = FakeSentry::start();
        let mut stack = with_sentry(&sentry, &[("SENTRY_TRACES_SAMPLE_RATE", "1")]).await;
        let (owner, product, _) = stack.shop().await;
        let management = stack.serve.client("management_addr").await;
        stack.lose_the_outbox().await;
        // The limit begins with the first response to what this order sends.
        sentry.behaves(Behavior::Limits(limits));
        let (_, first) = order(&owner, &product).await;
        eventually("what the first order sends arrives", async || {
            let sent = sentry.received();
            sent.iter().any(|envelope| envelope.contains(first.header("x-request-id"))).then_some(())
        })
        .await;
        let before = dropped(&management).await;
        let of = |response: &Response, kind| {
            let request = response.header("x-request-id");
            sentry.items(kind).into_iter().find(|item| item["tags"]["request_id"] == request)
        };
        let (_, limited_order) = order(&owner, &product).await;
        let (_, later) = order(&owner, &product).await;
        for response in [&limited_order, &later] {
            eventually(&format!("{limits}: the {passing} arrives"), async || of(response, passing)).await;
        }
        eventually(&format!("{limits}: what is limited is counted"), async || {
            (dropped(&management).await >= before + 2).then_some(())
        })
        .await;
        assert_eq!(of(&limited_order, limited), None, "{limits}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_flushes_the_queue_and_does_not_wait_for_a_hanging_sentry() {
    for behavior in [Behavior::Accepts, Behavior::Hangs] {
        let sentry = FakeSentry::start();
        let mut stack = with_sentry(&sentry, &[]).await;
        let (owner, product, _) = stack.shop().await;
        stack.lose_the_outbox().await;
        sentry.behaves(behavior);
        let orders = join_all((0..4).map(|_| order(&owner, &product))).await;
        let signaled = Instant::now();
        stack.serve.signal("TERM");
        assert_eq!(stack.serve.ends().await.code, Some(0));
        assert!(signaled.elapsed() < Duration::from_secs(10), "{:?}", signaled.elapsed());
        if let Behavior::Accepts = behavior {
            let events = sentry.items("event");
            for (_, response) in orders {
                let request = response.header("x-request-id");
                assert!(events.iter().any(|event| event["tags"]["request_id"] == request), "{request}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_absent_sentry_does_not_accept_is_dropped_and_counted() {
    let mut stack = Stack::start([("SENTRY_DSN", "http://public-key@127.0.0.1:1/42")]).await;
    let (owner, product, _) = stack.shop().await;
    let management = stack.serve.client("management_addr").await;
    stack.lose_the_outbox().await;
    for _ in 0..3 {
        order(&owner, &product).await.1.expect(500);
    }
    eventually("the drops are counted", async || (dropped(&management).await == 3).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_captured_once_with_its_stack_and_is_a_500() {
    let sentry = FakeSentry::start();
    let mut stack = with_sentry(&sentry, &[("GLASSHOUSE_FAULTS_ENABLED", "true")]).await;
    let (owner, _, _) = stack.shop().await;
    let management = stack.serve.client("management_addr").await;
    let panics = json!({ "panics": { "endpoint": "/v1/products" } });
    management.send(Method::PUT, "/faults", Some(panics)).await.expect(200);

    let response = owner.get("/v1/products").await;
    let request = response.header("x-request-id").to_owned();
    response.expect_problem(500, "internal_server_error");

    let event = sentry.event_of(&request).await;
    let exception = &event["exception"]["values"][0];
    assert_eq!((&exception["type"], &exception["value"]), (&json!("panicked"), &json!("an injected fault")));
    let frames = exception["stacktrace"]["frames"].to_string();
    assert!(frames.contains("inject_faults"), "{exception}");
    // Events arrive in order: with the next one here, there is no second event of the panic.
    let next = owner.get("/v1/products").await;
    sentry.event_of(next.header("x-request-id")).await;
    let events = sentry.items("event").into_iter().filter(|event| event["tags"]["request_id"] == *request);
    assert_eq!(events.count(), 1);
}
