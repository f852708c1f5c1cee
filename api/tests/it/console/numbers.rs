//! The numbers: those that Prometheus would compute of the same counters.

use reqwest::Method;
use serde_json::json;

use crate::support::{Backend, Scrape, TestApp, eventually, new_slug, on_both};

on_both!(the_numbers_are_those_of_the_metrics);

/// The numbers of the page are those of two scrapes of `/metrics` around the same requests.
async fn the_numbers_are_those_of_the_metrics(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_FAULTS_ENABLED", "true")]).await;
    let management = app.management();
    // The first sample is taken at the start, before any request.
    let traffic = async || management.get("/console/traffic?seconds=300").await;
    eventually("there are two samples", async || (traffic().await.status == 200).then_some(())).await;
    let before = Scrape::of(&management).await;
    let owner = app.sign_up(&new_slug(), "enterprise").await;
    let product = owner.add_product(1000).await;
    for _ in 0..20 {
        owner.get("/v1/products").await.expect(200);
    }
    owner.order(&product, 2).await.expect(201);
    let fault = json!({ "errors": { "endpoint": "/v1/users", "seconds": 60 } });
    management.send(Method::PUT, "/faults", Some(fault)).await.expect(200);
    for _ in 0..5 {
        owner.get("/v1/users").await.expect(500);
    }
    let after = Scrape::of(&management).await;
    let increase = |metric: &str, labels: &str| after.sum(metric, labels) - before.sum(metric, labels);
    let requests = increase("http_requests_total", "");
    assert!(requests >= 28.0, "{requests}");
    let window = eventually("a sample has all requests", async || {
        let window = traffic().await.expect(200);
        (window["all"]["requests"] == requests).then_some(window)
    })
    .await;
    assert_eq!(window["all"]["failed"], 5);
    assert_eq!(window["all"]["error_ratio"].as_f64().unwrap(), 5.0 / requests);
    assert_eq!(window["revenue_usd"].as_f64().unwrap(), increase("revenue_total_usd", ""));
    let seconds = window["seconds"].as_f64().unwrap();
    assert!((window["all"]["rate"].as_f64().unwrap() - requests / seconds).abs() < 1e-9);
    for endpoint in window["endpoints"].as_array().unwrap() {
        let (method, path) = (endpoint["method"].as_str().unwrap(), endpoint["endpoint"].as_str().unwrap());
        let labels = format!("endpoint=\"{path}\",method=\"{method}\"");
        assert_eq!(
            endpoint["requests"].as_f64().unwrap(),
            increase("http_requests_total", &labels),
            "{labels}"
        );
        for (name, q) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
            let expected = histogram_quantile(q, &labels, &before, &after);
            assert!(
                (endpoint[name].as_f64().unwrap() - expected).abs() < 1e-9,
                "{labels} {name}: {expected}"
            );
        }
    }
}

/// PromQL's `histogram_quantile` of the durations between two scrapes.
fn histogram_quantile(q: f64, labels: &str, before: &Scrape, after: &Scrape) -> f64 {
    let metric = "http_request_duration_seconds_bucket";
    let mut bounds: Vec<_> = after
        .values(metric, "le")
        .into_iter()
        .filter_map(|bound| bound.parse::<f64>().ok().map(|value| (bound, value)))
        .collect();
    bounds.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let count = |bound: &str| {
        let labels = format!("{labels},le=\"{bound}\"");
        after.sum(metric, &labels) - before.sum(metric, &labels)
    };
    let rank = q * count("+Inf");
    let at = bounds.iter().position(|(bound, _)| count(bound) >= rank).expect("all durations are finite");
    let (below, lower) = match at.checked_sub(1) {
        Some(previous) => (count(bounds[previous].0), bounds[previous].1.max(0.0)),
        None => (0.0, 0.0),
    };
    if bounds[at].1.is_infinite() {
        return lower;
    }
    lower + (bounds[at].1 - lower) * (rank - below) / (count(bounds[at].0) - below)
}
