//! Bounds of telemetry: however many values a client sends, and however long they are, labels, names and fields stay few
//! and short.

use glasshouse_telemetry::http::KNOWN_METHODS;
use reqwest::Method;
use serde_json::json;

use crate::command_line::{Stack, common, with};
use crate::support::{FakeSentry, Received, Response, Scrape, eventually, exchange, log_lines};

/// The longest value of a client that telemetry may have, and what stands around it.
const MAX_TEXT: usize = 4096;
const MAX_LINE: usize = 8192;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_that_nobody_knows_are_one_series_and_one_name() {
    let (received, endpoint) = Received::start().await;
    let mut stack = Stack::start([("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)]).await;
    let (client, management) =
        (stack.serve.client("http_addr").await, stack.serve.client("management_addr").await);
    for method in ["GET", "ZZ0"] {
        for path in ["/v1/orders", "/nowhere"] {
            Response::of(client.request(method.parse().unwrap(), path)).await;
        }
    }
    let before = Scrape::of(&management).await.series_of("http_requests_total");
    for number in 1..=500 {
        let method: Method = format!("ZZ{number}").parse().unwrap();
        let path = if number % 2 == 0 { "/v1/orders" } else { "/nowhere" };
        Response::of(client.request(method, path)).await;
    }
    Response::of(client.request("get".parse().unwrap(), "/v1/orders")).await;

    let scrape = Scrape::of(&management).await;
    assert_eq!(scrape.series_of("http_requests_total"), before);
    for metric in ["http_requests_total", "http_request_duration_seconds_count"] {
        let methods = scrape.values(metric, "method");
        assert!(methods.contains("_OTHER"), "{methods:?}");
        let is_known = |method: &&str| KNOWN_METHODS.contains(method) || *method == "_OTHER";
        assert!(methods.iter().all(is_known), "{methods:?}");
    }
    let spans = eventually("the spans arrive", async || {
        let spans: Vec<_> = received.all().into_iter().filter(|text| text.starts_with("span")).collect();
        (spans.iter().filter(|span| span.contains("_OTHER")).count() > 500).then_some(spans)
    })
    .await;
    assert!(spans.iter().any(|span| span.contains("name: \"HTTP")), "{}", spans[0]);
    let records = log_lines(&stack.serve.stdout());
    assert!(records.iter().any(|record| record["method"] == "_OTHER"));
    for text in spans.iter().cloned().chain(records.iter().map(ToString::to_string)) {
        assert!(!text.contains("ZZ"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_known_methods_are_a_setting() {
    let settings = [("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET,PROPFIND")];
    let mut stack = Stack::start(settings).await;
    let client = stack.serve.client("http_addr").await;
    for method in ["PROPFIND", "POST"] {
        Response::of(client.request(method.parse().unwrap(), "/nowhere")).await;
    }
    let scrape = Scrape::of(&stack.serve.client("management_addr").await).await;
    let methods = scrape.values("http_requests_total", "method");
    assert!(methods.contains("PROPFIND") && methods.contains("_OTHER"), "{methods:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_value_is_short_in_every_signal() {
    let (received, endpoint) = Received::start().await;
    let sentry = FakeSentry::start();
    let dsn = sentry.dsn();
    let settings = [
        ("RUST_LOG", "debug"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("SENTRY_DSN", &*dsn),
        ("SENTRY_TRACES_SAMPLE_RATE", "1"),
        ("GLASSHOUSE_MAX_BODY_BYTES", "1000000"),
    ];
    let settings = with(&common(), settings);
    let mut stack = Stack::start_each(settings.clone(), settings).await;
    let address = stack.serve.address("http_addr").await;
    let (owner, _, _) = stack.shop().await;
    let bearer = format!("Bearer {}", owner.token());
    let long = "z".repeat(100_000);
    let line = |path: &str| format!("GET {path} HTTP/1.1");
    for request_line in [
        format!("{long} /health/live HTTP/1.1"),
        line(&format!("/{long}")),
        line(&format!("/v1/orders/{long}")),
        line(&format!("/v1/orders?cursor={long}&status={long}&{long}")),
        line(&format!("/docs{}", "/x".repeat(50_000))),
        line(&format!("/docs/{}", "/".repeat(100_000))),
        line(&format!("http://{long}/health/live")),
    ] {
        let headers = [("Host", "x"), ("Authorization", &*bearer)];
        exchange(&address, &request_line, &headers, "").await;
    }
    for name in [
        "Host",
        "User-Agent",
        "X-Request-Id",
        "Idempotency-Key",
        "If-Match",
        "Authorization",
        "Accept-Encoding",
        "Content-Type",
        "Baggage",
        "Traceparent",
        "Tracestate",
        "Uber-Trace-Id",
        "Uberctx-Note",
        "Referer",
    ] {
        let headers = [("Content-Length", "0"), (name, &*long)];
        exchange(&address, "POST /v1/orders HTTP/1.1", &headers, "").await;
    }
    let anonymous = stack.serve.client("http_addr").await;
    for (tenant, email) in [(&*long, "ada@example.com"), ("acme", &*format!("ada@{long}.example"))] {
        let login = json!({ "tenant": tenant, "email": email, "password": long });
        Response::of(anonymous.request(Method::POST, "/v1/auth/login").json(&login)).await;
    }
    let tenant =
        json!({ "slug": long, "name": long, "plan": long, "source": long, "owner": { long.clone(): long } });
    Response::of(anonymous.request(Method::POST, "/v1/tenants").json(&tenant)).await;

    let metrics = stack.serve.client("management_addr").await.get("/metrics").await.expect(200);
    for line in metrics.as_str().unwrap().lines() {
        assert!(line.len() < 1024, "{}", &line[..200]);
    }
    stack.serve.signal("TERM");
    let ended = stack.serve.ends().await;
    let sent = sentry.received();
    let spans = received.all();
    assert!(spans.len() > 20 && sent.len() > 5, "{} {}", spans.len(), sent.len());
    let lines = ended.stdout.lines().chain(sent.iter().flat_map(|envelope| envelope.lines()));
    for text in lines.chain(spans.iter().map(String::as_str)) {
        assert!(text.len() < 32 * MAX_LINE, "{} bytes: {}", text.len(), &text[..200]);
        assert!(!text.contains(&long[..MAX_TEXT + 1]), "{}", &text[..200]);
    }
    for line in ended.stdout.lines() {
        assert!(line.len() < MAX_LINE, "{} bytes: {}", line.len(), &line[..200]);
    }
}
