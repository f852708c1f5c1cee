//! Fault injection: each fault has the symptoms that `docs/faults.md` lists, and the service recovers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::command_line::Stack;
use crate::support::{
    Backend, Client, Response, Scrape, SpanReceiver, TestApp, eventually, key, log_lines, new_trace, on_both,
    traceparent,
};

on_both!(faults_without_an_effect_are_rejected, a_fault_ends_after_its_duration_or_on_delete);

/// A row of the table in `docs/faults.md`.
struct Row {
    fault: String,
    plan: Value,
    metric: String,
    rises_by: f64,
    event: String,
    /// The name of its span, with an attribute if it has one; `None` if the fault has no span.
    span: Option<(String, Vec<(String, String)>)>,
}

/// The text in backquotes in a cell.
fn codes(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn table() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
        let [fault, plan, metric, event] = [0, 1, 2, 3].map(|cell| codes(cells[cell]).remove(0));
        let mut span = codes(cells[4]).into_iter();
        let attribute = |code: String| {
            let (name, value) = code.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        Row {
            fault,
            plan: serde_json::from_str(&plan).unwrap(),
            metric,
            rises_by: cells[2].rsplit(" by ").next().unwrap().trim().parse().unwrap(),
            event,
            span: span.next().map(|name| (name, span.map(attribute).collect())),
        }
    })
    .collect()
}

fn metric_of(scrape: &Scrape, metric: &str) -> f64 {
    let (name, labels) = metric.split_once('{').unwrap_or((metric, ""));
    scrape.sum(name, labels.trim_end_matches('}'))
}

async fn get_in_trace(caller: &Client, path: &str, trace: &str) -> Response {
    Response::of(caller.request(Method::GET, path).header("traceparent", traceparent(trace))).await
}

async fn put(management: &Client, plan: &Value) -> Response {
    management.send(Method::PUT, "/faults", Some(plan.clone())).await
}

const ENABLED: (&str, &str) = ("GLASSHOUSE_FAULTS_ENABLED", "true");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_shows_where_the_table_says() {
    let mut receiver = SpanReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::start([
        ENABLED,
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("GLASSHOUSE_SLOW_QUERY_MS", "200"),
        ("DATABASE_POOL_SIZE", "4"),
        ("DATABASE_ACQUIRE_TIMEOUT_MS", "500"),
        ("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", "1"),
    ])
    .await;
    let (owner, _, _) = stack.shop().await;
    let management = stack.serve.client("management_addr").await;

    let of_worker = ["stalled_outbox", "rejected_notifications"];
    let rows: Vec<_> = table().into_iter().filter(|row| !of_worker.contains(&&*row.fault)).collect();
    assert_eq!(rows.len(), 7);
    for row in rows {
        let at_rest = eventually("the pool is at rest", async || {
            let scrape = Scrape::of(&management).await;
            (metric_of(&scrape, "active_database_connections") == 0.0).then_some(scrape)
        })
        .await;
        let before = metric_of(&at_rest, &row.metric);
        let logged = log_lines(&stack.serve.stdout()).len();
        put(&management, &row.plan).await.expect(200);
        let trace = new_trace();
        eventually(&format!("{} rises", row.metric), async || {
            get_in_trace(&owner, "/v1/products", &trace).await;
            let now = metric_of(&Scrape::of(&management).await, &row.metric);
            (now - before >= row.rises_by).then_some(())
        })
        .await;
        eventually(&format!("{} is logged for {}", row.event, row.fault), async || {
            get_in_trace(&owner, "/v1/products", &trace).await;
            let lines = log_lines(&stack.serve.stdout()).into_iter().skip(logged);
            let mut of_event = lines.filter(|line| line["message"] == *row.event);
            of_event.any(|line| row.span.is_none() || line["trace_id"] == *trace).then_some(())
        })
        .await;
        if let Some((name, attributes)) = &row.span {
            let attributes: Vec<_> =
                attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let span = receiver.span_with(&trace, name, &attributes).await;
            if row.fault == "latency" {
                let took = span.end_time_unix_nano - span.start_time_unix_nano;
                assert!(took >= 300_000_000, "{took} ns");
            }
        }
        let scrape = Scrape::of(&management).await;
        let counted = scrape.sum("fault_injected_total", &format!("fault=\"{}\"", row.fault));
        assert!(counted >= 1.0, "{} is not counted", row.fault);

        management.send(Method::DELETE, "/faults", None).await.expect(204);
        eventually(&format!("{} ends", row.fault), async || {
            (owner.get("/v1/products").await.status == 200).then_some(())
        })
        .await;
        if row.metric == "process_resident_memory_bytes" || row.metric == "active_database_connections" {
            eventually(&format!("{} is released", row.fault), async || {
                let now = metric_of(&Scrape::of(&management).await, &row.metric);
                (now - before < row.rises_by / 2.0).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_outbox_shows_where_the_table_says() {
    let mut receiver = SpanReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::start([ENABLED, ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).await;
    let (owner, product, _) = stack.shop().await;
    let management = stack.worker.client("management_addr").await;
    let row = table().into_iter().find(|row| row.fault == "stalled_outbox").unwrap();
    put(&management, &row.plan).await.expect(200);
    stack.worker.logs(&row.event).await;

    let trace = new_trace();
    let items = json!({ "items": [{ "product_id": product, "quantity": 1 }] });
    let order = owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", key()).json(&items);
    Response::of(order.header("traceparent", traceparent(&trace))).await.expect(201);
    eventually("the oldest message gets older", async || {
        let scrape = Scrape::of(&management).await;
        (metric_of(&scrape, &row.metric) >= row.rises_by).then_some(())
    })
    .await;
    let (delivery, _) = row.span.unwrap();
    assert!(!receiver.has(&trace, &delivery).await);

    management.send(Method::DELETE, "/faults", None).await.expect(204);
    receiver.span(&trace, &delivery).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_notifications_show_where_the_table_says() {
    let mut receiver = SpanReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::start([ENABLED, ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).await;
    let (owner, product, _) = stack.shop().await;
    let management = stack.worker.client("management_addr").await;
    let row = table().into_iter().find(|row| row.fault == "rejected_notifications").unwrap();
    put(&management, &row.plan).await.expect(200);

    let trace = new_trace();
    let items = json!({ "items": [{ "product_id": product, "quantity": 1 }] });
    let order = owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", key()).json(&items);
    Response::of(order.header("traceparent", traceparent(&trace))).await.expect(201);
    assert_eq!(stack.worker.logs(&row.event).await["trace_id"], *trace);
    let scrape = Scrape::of(&management).await;
    assert_eq!(metric_of(&scrape, &row.metric), row.rises_by);
    receiver.span(&trace, &row.span.unwrap().0).await;
}

async fn faults_without_an_effect_are_rejected(backend: Backend) {
    let app = TestApp::start_with(backend, &[ENABLED]).await;
    let management = app.management();
    for (plan, status, problem) in [
        (json!({ "latency": { "delay_ms": 0 } }), 422, "must be from 1 to 10000"),
        (json!({ "fire": {} }), 422, "unknown field `fire`"),
        (json!([]), 422, "expected an object"),
        (json!({ "errors": { "endpoint": "/v1/nothing" } }), 422, "errors.endpoint"),
    ] {
        let rejected = put(&management, &plan).await;
        assert_eq!(rejected.status, status, "{plan}");
        assert!(rejected.body.to_string().contains(problem), "{}", rejected.body);
    }
    let slow = put(&management, &json!({ "slow_queries": { "delay_ms": 10 } })).await;
    assert_eq!(slow.status, if backend == Backend::Servers { 200 } else { 422 }, "{}", slow.body);
    app.anonymous().get("/faults").await.expect_problem(404, "unknown_route");

    let app = TestApp::start_with(backend, &[("GLASSHOUSE_FAULTS_ENABLED", "false")]).await;
    assert_eq!(app.management().get("/faults").await.status, 404);
}

async fn a_fault_ends_after_its_duration_or_on_delete(backend: Backend) {
    let app = TestApp::start_with(backend, &[ENABLED]).await;
    let (owner, management) = (app.new_tenant().await, app.management());

    put(&management, &json!({ "errors": { "seconds": 2, "endpoint": "/v1/products" } })).await.expect(200);
    let shown = management.get("/faults").await.expect(200);
    assert_eq!(shown["faults"]["errors"]["endpoint"], "/v1/products");
    let left = shown["faults"]["errors"]["seconds_left"].as_f64().unwrap();
    assert!((1.0..=2.0).contains(&left), "{left}");
    owner.get("/v1/products").await.expect_problem(500, "internal_server_error");
    owner.get("/v1/users/me").await.expect(200);
    eventually("the fault ends by itself", async || {
        (owner.get("/v1/products").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(management.get("/faults").await.expect(200), json!({ "faults": {} }));

    put(&management, &json!({ "panics": {} })).await.expect(200);
    owner.get("/v1/users/me").await.expect_problem(500, "internal_server_error");
    put(&management, &json!({ "panics": { "share": 0.0 } })).await.expect(200);
    owner.get("/v1/users/me").await.expect(200);
    management.send(Method::DELETE, "/faults", None).await.expect(204);
    assert_eq!(management.get("/faults").await.expect(200), json!({ "faults": {} }));
}
