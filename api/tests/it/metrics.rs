//! Metrics: their names are an interface, and what they count is what happened.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::{Backend, TestApp, eventually, on_both};

on_both!(an_order_is_counted_where_it_should_be, tenants_beyond_the_cap_share_a_series);

/// Every metric of the contract, its type and its labels.
const CONTRACT: [(&str, &str, &[&str]); 27] = [
    ("http_requests_total", "counter", &["endpoint", "method", "status"]),
    ("http_request_duration_seconds", "histogram", &["endpoint", "method"]),
    ("http_requests_in_flight", "gauge", &[]),
    ("api_calls_total", "counter", &["endpoint", "tenant_id"]),
    ("tenant_rate_limited_total", "counter", &["tenant_id"]),
    ("revenue_total_usd", "counter", &["product", "tenant_id"]),
    ("user_signups_total", "counter", &["source", "tenant_id"]),
    ("orders_total", "counter", &["status"]),
    ("payments_total", "counter", &["outcome"]),
    ("active_users", "gauge", &[]),
    ("login_attempts_total", "counter", &["result"]),
    ("payment_gateway_request_duration_seconds", "histogram", &["operation", "outcome"]),
    ("payment_gateway_circuit_open", "gauge", &[]),
    ("active_database_connections", "gauge", &[]),
    ("database_connections", "gauge", &["state"]),
    ("database_connections_max", "gauge", &[]),
    ("database_acquire_wait_seconds", "histogram", &[]),
    ("database_query_duration_seconds", "histogram", &[]),
    ("database_slow_queries_total", "counter", &[]),
    ("load_shed_total", "counter", &["reason"]),
    ("process_resident_memory_bytes", "gauge", &[]),
    ("cache_requests_total", "counter", &["cache", "result"]),
    ("outbox_pending", "gauge", &[]),
    ("outbox_oldest_age_seconds", "gauge", &[]),
    ("outbox_deliveries_total", "counter", &["kind", "result"]),
    ("telemetry_dropped_total", "counter", &["signal"]),
    ("build_info", "gauge", &["commit", "version"]),
];

/// A scrape: the type of each metric, and the value of each series.
struct Scrape {
    types: BTreeMap<String, String>,
    series: BTreeMap<String, f64>,
}

impl Scrape {
    async fn of(app: &TestApp) -> Self {
        let text = app.management().get("/metrics").await.expect(200);
        let (mut types, mut series) = (BTreeMap::new(), BTreeMap::new());
        for line in text.as_str().unwrap().lines() {
            if let Some(line) = line.strip_prefix("# TYPE ") {
                let (name, kind) = line.split_once(' ').unwrap();
                types.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap();
                series.insert(name.to_owned(), value.parse().unwrap());
            }
        }
        Self { types, series }
    }

    /// The sum of all series of a metric whose labels contain this text.
    fn sum(&self, metric: &str, labels: &str) -> f64 {
        let all = self.series.iter();
        let ours = all.filter(|(name, _)| name.split('{').next() == Some(metric) && name.contains(labels));
        ours.map(|(_, value)| value).sum()
    }

    /// The names of the labels of a metric, without the bounds of a histogram.
    fn labels(&self, metric: &str) -> BTreeSet<&str> {
        let of_metric =
            |name: &&String| name.split('{').next().unwrap().trim_end_matches("_bucket") == metric;
        let labels = self.series.keys().filter(of_metric).filter_map(|name| name.split_once('{'));
        let labels =
            labels.flat_map(|(_, labels)| labels.split("\",").filter_map(|label| label.split('=').next()));
        labels.filter(|label| *label != "le").collect()
    }

    /// How many values a label of a metric has.
    fn values(&self, metric: &str, label: &str) -> BTreeSet<&str> {
        let ours = self.series.keys().filter(|name| name.split('{').next() == Some(metric));
        let start = format!("{label}=\"");
        ours.filter_map(|name| name.split(&start).nth(1)?.split('"').next()).collect()
    }
}

async fn an_order_is_counted_where_it_should_be(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_RATE_LIMIT_PRO", "1/1")]).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    owner.order(&product, 2).await.expect(201);
    let login = json!({ "tenant": owner.tenant(), "email": "nobody@example.com", "password": "wrong" });
    app.nobody().post("/v1/auth/login", login).await.expect(401);
    let limited = app.sign_up("limited", "pro").await;
    while limited.get("/v1/products").await.status != 429 {}
    app.nobody().get("/no/such/path").await.expect_problem(404, "unknown_route");
    let scrape = eventually("the confirmation is counted", async || {
        let scrape = Scrape::of(&app).await;
        (scrape.sum("outbox_deliveries_total", "order_paid") == 1.0).then_some(scrape)
    })
    .await;

    for (metric, kind, labels) in CONTRACT {
        assert_eq!(scrape.types.get(metric).map(String::as_str), Some(kind), "{metric}");
        assert_eq!(scrape.labels(metric), labels.iter().copied().collect(), "{metric}");
    }
    for (metric, labels, value) in [
        ("http_requests_total", r#"endpoint="/v1/orders",method="POST",status="201""#, 1.0),
        ("http_requests_total", r#"endpoint="unknown",method="GET",status="404""#, 1.0),
        ("http_request_duration_seconds_count", r#"endpoint="/v1/orders",method="POST""#, 1.0),
        ("orders_total", r#"status="pending""#, 1.0),
        ("orders_total", r#"status="paid""#, 1.0),
        ("payments_total", r#"outcome="succeeded""#, 1.0),
        ("revenue_total_usd", r#"product="Mug""#, 25.0),
        ("user_signups_total", r#"source="organic""#, 2.0),
        ("login_attempts_total", r#"result="success""#, 2.0),
        ("login_attempts_total", r#"result="failure""#, 1.0),
        ("tenant_rate_limited_total", "", 1.0),
        ("active_users", "", 2.0),
        ("outbox_pending", "", 0.0),
        ("payment_gateway_request_duration_seconds_count", r#"operation="charge",outcome="ok""#, 1.0),
    ] {
        if metric == "active_users" && backend == Backend::Servers {
            // Redis counts the users of all tests together.
            assert!(scrape.sum(metric, labels) >= value);
            continue;
        }
        assert_eq!(scrape.sum(metric, labels), value, "{metric} {labels}");
    }
}

async fn tenants_beyond_the_cap_share_a_series(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_METRIC_LABEL_CAP", "3")]).await;
    for _ in 0..6 {
        app.new_tenant().await.get("/v1/products").await.expect(200);
    }
    let scrape = Scrape::of(&app).await;
    let tenants = scrape.values("api_calls_total", "tenant_id");
    assert_eq!(tenants.len(), 4, "three and the rest: {tenants:?}");
    assert!(tenants.contains("other"));
    assert_eq!(scrape.sum("api_calls_total", "/v1/products"), 6.0);
}
