//! Metrics: names, types, labels, values, and the size of a scrape.

use std::io::Write;
use std::process::{Command, Stdio};

use glasshouse_api::http::public::docs;
use glasshouse_telemetry::service::events::payments::PaymentSucceeded;
use glasshouse_telemetry::service::events::users::UserRegistered;
use glasshouse_telemetry::service::metrics::{Metrics, MetricsSettings, Sale};
use serde_json::json;

use crate::support::{Backend, Scrape, TestApp, eventually, on_both};

on_both!(
    an_order_moves_its_metrics,
    opentelemetrys_names_count_the_same_on_request,
    tenants_beyond_the_cap_share_a_series,
);

/// The metrics that the requests of `an_order_moves_its_metrics` export on both backends, with type and labels.
const CONTRACT: [(&str, &str, &[&str]); 43] = [
    ("http_requests_total", "counter", &["endpoint", "method", "status"]),
    ("http_request_duration_seconds", "histogram", &["endpoint", "method"]),
    ("http_requests_in_flight", "gauge", &[]),
    ("api_calls_total", "counter", &["endpoint", "tenant_id"]),
    ("tenant_rate_limited_total", "counter", &["tenant_id"]),
    ("plan_rate_limit_per_second", "gauge", &["plan"]),
    ("tenant_info", "gauge", &["plan", "slug", "tenant_id"]),
    ("revenue_total_usd", "counter", &["product", "tenant_id"]),
    ("user_signups_total", "counter", &["source", "tenant_id"]),
    ("orders_total", "counter", &["status"]),
    ("payments_total", "counter", &["outcome"]),
    ("payments_open", "gauge", &[]),
    ("payments_oldest_open_age_seconds", "gauge", &[]),
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
    ("dependency_up", "gauge", &["dependency"]),
    ("process_resident_memory_bytes", "gauge", &[]),
    ("process_memory_limit_bytes", "gauge", &[]),
    ("process_cpu_limit_cores", "gauge", &[]),
    ("process_disk_read_bytes_total", "counter", &[]),
    ("process_disk_written_bytes_total", "counter", &[]),
    ("process_network_receive_bytes_total", "counter", &[]),
    ("process_network_transmit_bytes_total", "counter", &[]),
    ("runtime_workers", "gauge", &["runtime"]),
    ("runtime_tasks", "gauge", &["runtime"]),
    ("runtime_queue_depth", "gauge", &["runtime"]),
    ("runtime_busy_seconds_total", "counter", &["runtime"]),
    ("cache_requests_total", "counter", &["cache", "result"]),
    ("outbox_pending", "gauge", &[]),
    ("outbox_oldest_age_seconds", "gauge", &[]),
    ("outbox_dead_letters", "gauge", &[]),
    ("outbox_deliveries_total", "counter", &["kind", "result"]),
    ("telemetry_dropped_total", "counter", &["signal"]),
    ("build_info", "gauge", &["commit", "version"]),
];

async fn an_order_moves_its_metrics(backend: Backend) {
    let settings = &[("GLASSHOUSE_RATE_LIMIT_PRO", "1/1"), ("GLASSHOUSE_MEMORY_LIMIT_MIB", "512")];
    let app = TestApp::start_with(backend, settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    owner.order(&product, 2).await.expect(201);
    let login = json!({ "tenant": owner.tenant(), "email": "unknown@example.com", "password": "wrong" });
    app.anonymous().post("/v1/auth/login", login).await.expect(401);
    let limited = app.sign_up("limited", "pro").await;
    while limited.get("/v1/products").await.status != 429 {}
    app.anonymous().get("/no/such/path").await.expect_problem(404, "unknown_route");
    let scrape = eventually("the confirmation is counted, and the database was checked", async || {
        let scrape = Scrape::of(&app.management()).await;
        // A scrape reads the backlog from the database, and may do so just before the delivery is counted.
        let is_delivered = scrape.sum("outbox_deliveries_total", "order_paid") == 1.0;
        let is_checked = scrape.sum("dependency_up", r#"dependency="database""#) == 1.0;
        (is_delivered && is_checked && scrape.sum("outbox_pending", "") == 0.0).then_some(scrape)
    })
    .await;

    check_with_prometheus(&app.management().get("/metrics").await.expect(200));
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
        ("plan_rate_limit_per_second", r#"plan="pro""#, 1.0),
        ("tenant_info", r#"plan="pro""#, 1.0),
        ("active_users", "", 2.0),
        ("outbox_pending", "", 0.0),
        ("payments_open", "", 0.0),
        ("dependency_up", r#"dependency="database""#, 1.0),
        ("process_memory_limit_bytes", "", 512.0 * 1024.0 * 1024.0),
        ("runtime_workers", r#"runtime="http""#, 2.0),
        ("payment_gateway_request_duration_seconds_count", r#"operation="charge",outcome="ok""#, 1.0),
    ] {
        if metric == "active_users" && backend == Backend::Servers {
            // All tests share one Redis, which counts the users of all of them.
            assert!(scrape.sum(metric, labels) >= value);
            continue;
        }
        assert_eq!(scrape.sum(metric, labels), value, "{metric} {labels}");
    }
}

/// The metrics under the names of OpenTelemetry, with the labels of each, and ours that counts the same.
const OTEL: [(&str, &[&str], &str); 4] = [
    (
        "http_server_request_duration_seconds",
        &["error_type", "http_request_method", "http_response_status_code", "http_route", "url_scheme"],
        "http_request_duration_seconds_count",
    ),
    ("http_server_active_requests", &["http_request_method", "url_scheme"], "http_requests_in_flight"),
    (
        "http_client_request_duration_seconds",
        &["error_type", "http_request_method", "http_response_status_code", "server_address", "server_port"],
        "payment_gateway_request_duration_seconds_count",
    ),
    (
        "db_client_operation_duration_seconds",
        &["db_operation_name", "db_system_name", "error_type"],
        "database_query_duration_seconds_count",
    ),
];

async fn opentelemetrys_names_count_the_same_on_request(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_OTEL_METRICS", "true")]).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    owner.order(&product, 2).await.expect(201);
    owner.get(&format!("/v1/orders/{}", uuid::Uuid::now_v7())).await.expect_problem(404, "not_found");
    app.anonymous().get("/no/such/path").await.expect_problem(404, "unknown_route");

    let count = |otel: &str| match otel.strip_suffix("_seconds") {
        Some(_) => format!("{otel}_count"),
        None => otel.to_owned(),
    };
    // Background work may be measured by one of a pair while the other one is read.
    let scrape = eventually("both names count the same", async || {
        let scrape = Scrape::of(&app.management()).await;
        let is_same = |(otel, _, ours): (&str, &[&str], &str)| {
            let same = scrape.sum(&count(otel), "") == scrape.sum(ours, "");
            same && (ours.ends_with("in_flight") || scrape.sum(ours, "") > 0.0)
        };
        OTEL.into_iter().all(is_same).then_some(scrape)
    })
    .await;

    check_with_prometheus(&app.management().get("/metrics").await.expect(200));
    for (otel, labels, _) in OTEL {
        assert_eq!(scrape.labels(otel), labels.iter().copied().collect(), "{otel}");
    }
    let served = |labels: &str| scrape.sum("http_server_request_duration_seconds_count", labels);
    for labels in [
        r#"error_type="",http_request_method="POST",http_response_status_code="201",http_route="/v1/orders",url_scheme="http""#,
        r#"error_type="",http_request_method="GET",http_response_status_code="404",http_route="/v1/orders/{id}",url_scheme="http""#,
        r#"error_type="",http_request_method="GET",http_response_status_code="404",http_route="",url_scheme="http""#,
    ] {
        assert_eq!(served(labels), 1.0, "{labels}");
    }
    let systems = scrape.values("db_client_operation_duration_seconds_count", "db_system_name");
    let system = if backend == Backend::Servers { "postgresql" } else { "sqlite" };
    assert_eq!(systems, [system].into());
    let operations = scrape.values("db_client_operation_duration_seconds_count", "db_operation_name");
    assert!(operations.contains("SELECT") && operations.contains("INSERT"), "{operations:?}");

    let quiet = TestApp::start(backend).await;
    quiet.new_tenant().await;
    let scrape = Scrape::of(&quiet.management()).await;
    for (otel, ..) in OTEL {
        assert!(!scrape.types.contains_key(otel), "{otel} is exported without a request");
    }
}

/// Checks a scrape with Prometheus' own parser and linter.
#[track_caller]
fn check_with_prometheus(scrape: &serde_json::Value) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().expect("promtool is installed by scripts/with-test-services");
    promtool.stdin.take().unwrap().write_all(scrape.as_str().unwrap().as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let warnings = String::from_utf8(checked.stderr).unwrap();
    // The contract prescribes this name, whose unit is last.
    let ours = |line: &&str| !line.starts_with("revenue_total_usd counter metrics should have");
    assert_eq!(warnings.lines().filter(ours).collect::<Vec<_>>(), Vec::<&str>::new());
}

async fn tenants_beyond_the_cap_share_a_series(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_METRIC_LABEL_CAP", "3")]).await;
    for _ in 0..6 {
        app.new_tenant().await.get("/v1/products").await.expect(200);
    }
    let scrape = Scrape::of(&app.management()).await;
    let tenants = scrape.values("api_calls_total", "tenant_id");
    assert_eq!(tenants.len(), 4, "three and the rest: {tenants:?}");
    assert!(tenants.contains("other"));
    assert_eq!(scrape.sum("api_calls_total", "/v1/products"), 6.0);
}

/// The maximum size of a scrape with a thousand tenants, in bytes.
const LARGEST_SCRAPE: usize = 2_000_000;

#[test]
fn a_thousand_tenants_on_all_endpoints_stay_under_the_cap() {
    let metrics = Metrics::new(MetricsSettings::default()).unwrap();
    let endpoints: Vec<_> = docs::openapi().paths.paths.into_keys().collect();
    for n in 0..1000 {
        let tenant = uuid::Uuid::from_u128(n).to_string();
        UserRegistered { tenant_id: &tenant, user_id: &tenant, source: "organic" }.emit(&metrics.business);
        metrics.admission.rate_limited(&tenant);
        let sales = ["Mug", "Cap", "Pen"].map(|product| Sale { tenant_id: &tenant, product, usd: 12.5 });
        PaymentSucceeded { payment_id: &tenant, order_status: Some("paid"), sales: &sales }
            .emit(&metrics.business);
        for endpoint in &endpoints {
            metrics.admission.called_by_tenant(&tenant, endpoint);
        }
        metrics.admission.identify_tenant(&tenant, &format!("tenant-{n}"), "free");
        metrics.admission.identify_tenant(&tenant, &format!("tenant-{n}"), "pro");
    }
    let text = metrics.text().unwrap();
    assert!(text.len() < LARGEST_SCRAPE, "{} bytes", text.len());
    let scrape = Scrape::parse(&text);
    for (metric, series, sum) in [
        ("api_calls_total", 101 * endpoints.len(), 1000.0 * endpoints.len() as f64),
        ("tenant_rate_limited_total", 101, 1000.0),
        ("user_signups_total", 101, 1000.0),
    ] {
        assert_eq!(scrape.series_of(metric), series, "{metric}");
        assert_eq!(scrape.sum(metric, ""), sum, "{metric}");
        assert_eq!(scrape.sum(metric, r#"tenant_id="other""#), sum * 0.9, "{metric}");
    }
    assert_eq!(scrape.series_of("tenant_info"), 101, "one of each, with its last plan");
    assert_eq!(scrape.sum("revenue_total_usd", ""), 3.0 * 1000.0 * 12.5);
    assert!(scrape.series_of("revenue_total_usd") <= 100 + 101, "pairs, and the rest of each tenant");
}
