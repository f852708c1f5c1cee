//! What proxies report of a client: believed if a trusted proxy sent it.

use reqwest::Method;

use crate::command_line::Stack;
use crate::support::{Response, SpanReceiver, exchange, new_trace, traceparent};

/// A mark that must not be in any span.
const MARK: &str = "canary";

/// Sends requests with each of `headers` alone to a stack with these settings. Returns the scheme in the root span of each.
async fn schemes(settings: &[(&str, &str)], headers: &[(&str, &str)]) -> Vec<String> {
    let mut receiver = SpanReceiver::start().await;
    let endpoint = receiver.endpoint();
    let all = [settings, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]].concat();
    let mut stack = Stack::start(all).await;
    let client = stack.serve.client("http_addr").await;
    let mut schemes = Vec::new();
    for (name, value) in headers {
        let trace = new_trace();
        let request = client.request(Method::GET, "/health/live").header("traceparent", traceparent(&trace));
        Response::of(request.header(*name, *value)).await.expect(200);
        let root = receiver.span(&trace, "GET /health/live").await;
        assert!(!format!("{:?}", root.attributes).contains(MARK), "{:?}", root.attributes);
        schemes.push(root.attributes["url.scheme"].clone());
    }
    schemes
}

/// Whether the receiver's form of an attribute is this text.
fn is(found: &str, text: &str) -> bool {
    found.contains(&format!("\"{text}\"")) || found == text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_cannot_choose_its_scheme() {
    let headers = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-proto", MARK),
        ("x-forwarded-ssl", "on"),
        ("forwarded", "for=192.0.2.1;proto=https"),
        ("forwarded", "proto=canary"),
    ];
    for (found, header) in schemes(&[], &headers).await.iter().zip(headers) {
        assert!(is(found, "http"), "{header:?}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_reports_http_or_https() {
    let (headers, expected): (Vec<_>, Vec<_>) = [
        (("x-forwarded-proto", "https"), "https"),
        (("x-forwarded-proto", "HTTPS"), "https"),
        (("x-forwarded-proto", MARK), "http"),
        (("x-forwarded-proto", "https, canary"), "http"),
        (("forwarded", "for=192.0.2.1;proto=https"), "https"),
        (("forwarded", "for=192.0.2.1;proto=canary"), "http"),
        (("forwarded", "proto=\"canary"), "http"),
    ]
    .into_iter()
    .unzip();
    let found = schemes(&[("GLASSHOUSE_TRUSTED_PROXIES", "192.0.2.9, 127.0.0.0/8")], &headers).await;
    for ((found, expected), header) in found.iter().zip(expected).zip(headers) {
        assert!(is(found, expected), "{header:?}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheme_of_the_request_target_is_not_believed() {
    let mut receiver = SpanReceiver::start().await;
    let mut stack = Stack::start([("OTEL_EXPORTER_OTLP_ENDPOINT", &*receiver.endpoint())]).await;
    let trace = new_trace();
    let request_line = format!("GET {MARK}://{MARK}.example/health/live HTTP/1.1");
    let headers = [("Host", "x"), ("traceparent", &*traceparent(&trace))];
    let response = exchange(&stack.serve.address("http_addr").await, &request_line, &headers, "").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let root = receiver.span(&trace, "GET /health/live").await;
    assert!(is(&root.attributes["url.scheme"], "http"), "{:?}", root.attributes);
    assert!(!format!("{:?}", root.attributes).contains(MARK), "{:?}", root.attributes);
}
