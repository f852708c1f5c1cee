//! Traces: context propagation from the client's header to the confirmation, to a real OTLP receiver.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::command_line::{Stack, common, with};
use crate::support::{
    CALLER, Client, Response, Scrape, SpanReceiver, eventually, has_attribute, has_failed, key, traceparent,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn order(owner: &Client, product: &str, headers: &[(&str, &str)]) -> Response {
    let items = json!({ "items": [{ "product_id": product, "quantity": 1 }] });
    let request = owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", key()).json(&items);
    Response::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_spans_the_caller_both_services_and_the_confirmation() {
    let (mut ours, mut theirs) = (SpanReceiver::start().await, SpanReceiver::start().await);
    let to = |receiver: &SpanReceiver| receiver.endpoint();
    let mut stack = Stack::start_each(
        with(&common(), [("OTEL_EXPORTER_OTLP_ENDPOINT", &*to(&theirs))]),
        with(&common(), [("OTEL_EXPORTER_OTLP_ENDPOINT", &*to(&ours))]),
    )
    .await;
    let (owner, product, _) = stack.shop().await;

    let parent = traceparent(TRACE);
    let response = order(&owner, &product, &[("traceparent", &parent)]).await;

    assert!(response.header("traceparent").starts_with(&format!("00-{TRACE}-")), "{:?}", response.headers);
    assert_eq!(response.header("traceparent"), response.header("traceresponse"));
    let root = ours.span(TRACE, "POST /v1/orders").await;
    assert_eq!(root.parent_span_id, CALLER);
    for (attribute, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/v1/orders"),
        ("url.path", "/v1/orders"),
        ("http.response.status_code", "201"),
        ("user.role", "owner"),
        ("request_id", response.header("x-request-id")),
    ] {
        assert!(has_attribute(&root, attribute, value), "{attribute}: {:?}", root.attributes);
    }
    for recorded_later in ["tenant.id", "user.id", "order.id", "payment.id"] {
        assert!(root.attributes.contains_key(recorded_later), "{recorded_later}: {:?}", root.attributes);
    }

    let process_order = ours.span(TRACE, "process_order").await;
    assert_eq!(process_order.parent_span_id, root.span_id);
    for (child, parent) in [
        ("EVALSHA", &root),
        ("validate_inventory", &process_order),
        ("charge_payment", &process_order),
        ("settle", &process_order),
        ("deliver order_paid", &process_order),
    ] {
        assert_eq!(ours.span(TRACE, child).await.parent_span_id, parent.span_id, "{child}");
    }
    let inventory = ours.span(TRACE, "validate_inventory").await;
    let reserve = ours.span(TRACE, "reserve").await;
    assert_eq!(reserve.parent_span_id, inventory.span_id);
    assert!(has_attribute(&reserve, "db.system.name", "postgresql"), "{:?}", reserve.attributes);

    for (name, part) in [("UPDATE", "products"), ("WITH", "idempotent_requests")] {
        let statement = ours.span_with(TRACE, name, &[("db.query.text", part)]).await;
        assert_eq!(statement.parent_span_id, reserve.span_id, "{part}");
    }

    let charge = ours.span(TRACE, "charge_payment").await;
    let call = ours.span(TRACE, "POST /v1/charges").await;
    assert_eq!(call.parent_span_id, charge.span_id);
    let served = theirs.span(TRACE, "POST /v1/charges").await;
    assert_eq!(served.parent_span_id, call.span_id, "the gateway continues the trace of the call");

    let delivery = ours.span(TRACE, "deliver order_paid").await;
    assert_eq!(ours.span(TRACE, "send_confirmation").await.parent_span_id, delivery.span_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_stays_open_is_no_failed_request() {
    let mut receiver = SpanReceiver::start().await;
    let endpoint = receiver.endpoint();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "200"),
        ("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", "1"),
    ];
    let mut stack = Stack::start(settings).await;
    let (owner, product, gateway) = stack.shop().await;
    let order = owner.order(&product, 1).await.expect(201);
    let payments =
        owner.get(&format!("/v1/orders/{}/payments", order["id"].as_str().unwrap())).await.expect(200);
    let path = format!("/v1/payments/{}/refund", payments[0]["id"].as_str().unwrap());
    gateway.send(Method::PUT, "/control", Some(json!({ "timeout_rate": 1.0 }))).await.expect(200);

    let refund = owner.request(Method::POST, &path).header("Idempotency-Key", key()).json(&json!({}));
    Response::of(refund.header("traceparent", traceparent(TRACE))).await.expect(202);
    let root = receiver.span(TRACE, "POST /v1/payments/{id}/refund").await;
    assert!(!has_failed(&root), "{root:?}");
    let refund = receiver.span(TRACE, "refund_payment").await;
    assert_eq!(refund.parent_span_id, root.span_id);
    assert!(has_failed(&refund), "{refund:?}");
    let call = receiver.span_with(TRACE, "POST /v1/charges/{key}/refund", &[("error.type", "timeout")]).await;
    assert_eq!(call.parent_span_id, refund.span_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_statement_has_the_code_of_the_database() {
    let mut receiver = SpanReceiver::start().await;
    let endpoint = receiver.endpoint();
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("GLASSHOUSE_OTEL_METRICS", "true")];
    let mut stack = Stack::start(settings).await;
    let (owner, ..) = stack.shop().await;
    let product =
        json!({ "sku": "MUG-1", "name": "Mug", "price_minor": 1250, "currency": "USD", "stock": 1 });
    owner.post("/v1/products", product.clone()).await.expect(201);

    let again = owner.request(Method::POST, "/v1/products").json(&product);
    Response::of(again.header("traceparent", traceparent(TRACE))).await.expect_problem(409, "sku_taken");
    // unique_violation
    let code = [("db.response.status_code", "23505"), ("error.type", "23505")];
    let insert = receiver.span_with(TRACE, "INSERT", &code).await;
    assert!(has_failed(&insert), "{insert:?}");
    let scrape = Scrape::of(&stack.serve.client("management_addr").await).await;
    let failed = r#"db_operation_name="INSERT",db_system_name="postgresql",error_type="23505""#;
    assert_eq!(scrape.sum("db_client_operation_duration_seconds_count", failed), 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jaeger_header_continues_a_trace_too_and_w3c_takes_precedence() {
    let mut receiver = SpanReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::start([("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)]).await;
    let (owner, product, _) = stack.shop().await;
    let jaeger_trace = "0af7651916cd43dd8448eb211c80319c";
    let jaeger = format!("{jaeger_trace}:b7ad6b7169203331:0:1");

    order(&owner, &product, &[("uber-trace-id", &jaeger)]).await.expect(201);
    let root = receiver.span(jaeger_trace, "POST /v1/orders").await;
    assert_eq!(root.parent_span_id, "b7ad6b7169203331");

    let w3c = traceparent(TRACE);
    let both = [("uber-trace-id", jaeger.as_str()), ("traceparent", w3c.as_str())];
    order(&owner, &product, &both).await.expect(201);
    assert_eq!(receiver.span(TRACE, "POST /v1/orders").await.parent_span_id, CALLER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_receiver_affects_no_request_and_drops_are_counted() {
    let mut stack = Stack::start([("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]).await;
    let (owner, product, _) = stack.shop().await;
    for _ in 0..20 {
        owner.order(&product, 1).await.expect(201);
    }
    let management = stack.serve.client("management_addr").await;
    eventually("dropped spans and log records are counted", async || {
        let metrics = management.get("/metrics").await.expect(200);
        let metrics = metrics.as_str().unwrap().to_owned();
        let dropped = |signal| {
            let series = format!("telemetry_dropped_total{{signal=\"{signal}\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
            line.is_some_and(|count| count != "0")
        };
        (dropped("traces") && dropped("logs")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_spans_are_exported_before_the_process_exits() {
    let mut receiver = SpanReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::start([("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)]).await;
    let (owner, product, _) = stack.shop().await;

    let parent = traceparent(TRACE);
    order(&owner, &product, &[("traceparent", &parent)]).await.expect(201);
    stack.serve.signal("TERM");

    let (_, ended) = tokio::join!(receiver.span(TRACE, "POST /v1/orders"), stack.serve.ends());
    assert_eq!(ended.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_hangs_does_not_delay_the_shutdown() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut stack = Stack::start([("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)]).await;
    let (owner, product, _) = stack.shop().await;
    owner.order(&product, 1).await.expect(201);

    let signaled = Instant::now();
    stack.serve.signal("TERM");
    assert_eq!(stack.serve.ends().await.code, Some(0));
    assert!(signaled.elapsed() < Duration::from_secs(15), "{:?}", signaled.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg_stat_activity_shows_the_trace_of_a_query() {
    let mut stack = Stack::start([]).await;
    let (owner, product, _) = stack.shop().await;
    // A lock on the product's row makes the order wait inside its transaction.
    let holder = crate::support::connect(&stack.database.owner_url()).await;
    let hold = format!(
        "BEGIN; SELECT set_config('app.tenant_id', tenant_id_by_slug('{}')::text, true);
         UPDATE products SET stock = stock WHERE id = '{product}'",
        owner.tenant()
    );
    sea_orm::ConnectionTrait::execute_unprepared(&holder, &hold).await.unwrap();

    let parent = traceparent(TRACE);
    let waiting = tokio::spawn({
        let product = product.clone();
        async move { order(&owner, &product, &[("traceparent", &parent)]).await }
    });
    let sql =
        format!("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'glasshouse/{TRACE}'");
    eventually("the session shows the trace", async || {
        (stack.database.number(&sql).await == 1).then_some(())
    })
    .await;
    sea_orm::ConnectionTrait::execute_unprepared(&holder, "COMMIT").await.unwrap();
    waiting.await.unwrap().expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_span_of_a_new_user_names_tenant_user_and_role() {
    let mut receiver = SpanReceiver::start().await;
    let mut stack = Stack::start([("OTEL_EXPORTER_OTLP_ENDPOINT", &*receiver.endpoint())]).await;
    let (owner, _, _) = stack.shop().await;
    let body = json!({ "email": "grace@example.com", "password": "correct horse", "role": "admin" });
    let request = owner.request(Method::POST, "/v1/users").header("Idempotency-Key", key()).json(&body);
    let user = Response::of(request.header("traceparent", traceparent(TRACE))).await.expect(201);
    let root = receiver.span(TRACE, "POST /v1/users").await;
    let span = receiver.span(TRACE, "create_user").await;
    assert_eq!(span.parent_span_id, root.span_id);
    assert!(has_attribute(&span, "user.id", user["id"].as_str().unwrap()), "{:?}", span.attributes);
    assert!(has_attribute(&span, "user.role", "admin"), "{:?}", span.attributes);
    assert!(span.attributes.contains_key("tenant.id"), "{:?}", span.attributes);
}
