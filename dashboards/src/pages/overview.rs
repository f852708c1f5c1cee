//! The health of the service: golden signals, then endpoints and dependencies to locate a problem.

use anyhow::Result;

use super::shared::{endpoint, firing, graph, heatmap, service, spans_p95};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Threshold, Unit, Visualization};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    Ok(Dashboard::new(
        "glasshouse-overview",
        "Overview",
        "Is the service healthy? If not, which endpoint and which dependency cause the problem? Read it from top to bottom.",
    )
    .variable(service())
    .variable(endpoint())
    .row(health(alerts)?)
    .row(Row::new("Firing alerts", 5).panel(24, firing(alerts)))
    .row(golden_signals(alerts)?)
    .row(endpoints())
    .row(dependencies(alerts)?))
}

fn health(alerts: &Alerts) -> Result<Row> {
    let stat = |unit, title, description, query: &str| {
        Panel::new(Visualization::Stat, unit, title, description).query(Query::range(query))
    };
    Ok(Row::new("Service health", 4)
        .panel(3, stat(
            Unit::RequestsPerSecond,
            "Request rate",
            "Requests per second without health checks. If it drops to zero, check that requests reach the service \
             (InstanceDown, the load balancer).",
            r#"job:http_requests:rate2m{job="$service"}"#,
        ))
        .panel(3, stat(
            Unit::Ratio,
            "Error rate",
            "5xx responses / all responses. If it is red, find the failing endpoints in the table below.",
            r#"job:http_requests_failed:ratio_rate2m{job="$service"}"#,
        ).alert(alerts.named("HighErrorRate")?))
        .panel(3, stat(
            Unit::Seconds,
            "p95 latency",
            "95 % of requests are faster. If it is red, find the slow endpoints in the table below.",
            r#"job:http_request_duration_seconds:p95_rate2m{job="$service"}"#,
        ).alert(alerts.named("HighResponseTime")?))
        .panel(3, stat(
            Unit::Ratio,
            "Highest utilization",
            "The highest utilization of database pool, Redis pool and runtime threads. Above 80 %, see Resources for the \
             saturated one: requests will queue for it.",
            r#"max(label_replace(active_database_connections{job="$service"} / (database_connections_max{job="$service"} > 0), "resource", "database", "job", ".*") or label_replace(redis_connections{job="$service", state="active"} / on (job, instance) redis_connections_max{job="$service"}, "resource", "redis", "job", ".*") or label_replace(rate(runtime_busy_seconds_total{job="$service"}[$__rate_interval]) / runtime_workers{job="$service"}, "resource", "threads", "job", ".*"))"#,
        ).max(1.0).threshold(Threshold::Above(0.8)).dashboard_link("Resources", "glasshouse-resources"))
        .panel(3, budget("Error budget", "job:http_requests_failed:budget_left30d", "failed requests"))
        .panel(3, budget("Latency budget", "job:http_requests_slow:budget_left30d", "requests slower than 300 ms"))
        .panel(3, stat(
            Unit::Count,
            "Firing alerts",
            "If any alert fires, open its runbook from the table below.",
            r#"count(count by (alertname, service) (ALERTS{alertstate="firing"})) or vector(0)"#,
        ).threshold(Threshold::Above(1.0)).dashboard_link("SLOs & alerts", "glasshouse-slo"))
        .panel(3, stat(
            Unit::Count,
            "Instances down",
            "Instances that Prometheus cannot scrape. They probably serve no requests: see the runbook of InstanceDown.",
            r#"count(up{job=~"glasshouse-.+"} == 0) or vector(0)"#,
        ).threshold(Threshold::Above(1.0)).related_alert(alerts.named("InstanceDown")?)))
}

fn budget(title: &str, metric: &str, spent_by: &str) -> Panel {
    let description = format!(
        "The remaining 30-day budget for {spent_by}. Below 25 %, postpone risky releases; below 0 the objective is \
         missed. SLOs & alerts shows the burn rate."
    );
    Panel::new(Visualization::Stat, Unit::Ratio, title, &description)
        .query(Query::range(format!(r#"{metric}{{job="$service"}}"#)))
        .threshold(Threshold::Below(0.25))
        .allow_negative()
        .dashboard_link("SLOs & alerts", "glasshouse-slo")
}

fn golden_signals(alerts: &Alerts) -> Result<Row> {
    let responses = |status: &str| {
        format!(
            r#"sum(rate(http_requests_total{{job="$service", endpoint=~"$endpoint", endpoint!~"/health/.*", status=~"{status}"}}[$__rate_interval]))"#
        )
    };
    let latency = |percentile: &str| {
        let query = format!(r#"job:http_request_duration_seconds:{percentile}_rate2m{{job="$service"}}"#);
        Query::range(query).legend(percentile)
    };
    Ok(Row::new("Golden signals: traffic, errors, latency", 9)
        .panel(8, Panel::new(
            Visualization::StackedArea,
            Unit::RequestsPerSecond,
            "Requests by status class",
            "5xx are errors of the service. 4xx are client errors and rejected requests. A sudden rise of 4xx is a broken \
             client, a noisy tenant or credential stuffing: see Tenants and Business.",
        )
            .query(Query::range(responses("2..")).legend("2xx"))
            .query(Query::range(format!("{} or vector(0)", responses("4.."))).legend("4xx"))
            .query(Query::range(format!("{} or vector(0)", responses("5.."))).legend("5xx"))
            .series_color("2xx", "green")
            .series_color("4xx", "orange")
            .series_color("5xx", "red"))
        .panel(8, graph(
            Unit::Ratio,
            "Error rate over time",
            "The line is the alert threshold. If the rise began with a deployment (blue annotation), roll back first.",
        )
            .query(Query::range(r#"job:http_requests_failed:ratio_rate2m{job="$service"}"#).legend("error rate"))
            .alert(alerts.named("HighErrorRate")?))
        .panel(8, graph(
            Unit::Seconds,
            "Latency percentiles",
            "The line is the alert threshold of p95. An exemplar leads to the trace of a request: look for its longest \
             span. Only p99 rises: often one endpoint, see below.",
        )
            .query(latency("p50"))
            .query(latency("p95"))
            .query(latency("p99"))
            .query(spans_p95(r#"service_name="$service", span_kind="SPAN_KIND_SERVER""#))
            .alert(alerts.named("HighResponseTime")?)))
}

fn endpoints() -> Row {
    // `max by` removes `__name__`, which would otherwise keep the rows of the queries from being joined.
    let by_endpoint = |metric: &str| {
        let series = format!(r#"{metric}{{job="$service", endpoint=~"$endpoint"}}"#);
        let requested = r#"job_method_endpoint:http_requests:rate2m{job="$service"} > 0"#;
        Query::table(format!("max by (method, endpoint) ({series} and on (method, endpoint) ({requested}))"))
    };
    Row::new("Endpoints", 10)
        .panel(14, Panel::new(
            Visualization::Table,
            Unit::None,
            "Endpoints by error rate",
            "One failing endpoint: a defect in its code or data. All endpoints fail: a shared dependency, see the next row.",
        )
            .query(by_endpoint("job_method_endpoint:http_requests:rate2m"))
            .query(by_endpoint("job_method_endpoint:http_requests_failed:ratio_rate2m"))
            .query(by_endpoint("job_method_endpoint:http_request_duration_seconds:p50_rate2m"))
            .query(by_endpoint("job_method_endpoint:http_request_duration_seconds:p95_rate2m"))
            .merged_table(&["method", "endpoint"], "Value #B")
            .column_width("method", 90)
            .column_width("endpoint", 240)
            .column("A", "Requests", Unit::RequestsPerSecond)
            .column("B", "Error rate", Unit::Ratio)
            .column("C", "p50", Unit::Seconds)
            .column("D", "p95", Unit::Seconds))
        .panel(10, heatmap(
            "Latency distribution",
            "Darker cells have more requests. A second band is a second kind of request, such as cache misses or timeouts of \
             a dependency, which an average hides.",
            r#"http_request_duration_seconds_bucket{job="$service", endpoint=~"$endpoint", endpoint!~"/health/.*"}"#,
        ))
}

fn dependencies(alerts: &Alerts) -> Result<Row> {
    let shedding = alerts.named("LoadShedding")?;
    Ok(Row::new("Dependencies and saturation", 8)
        .panel(6, graph(
            Unit::Ratio,
            "Database pool utilization",
            "At 100 %, requests wait for a connection. See Database & cache for the queries that hold them.",
        )
            .query(Query::range(
                r#"avg_over_time(active_database_connections{job="$service"}[2m]) / (database_connections_max{job="$service"} > 0)"#,
            ).legend("{{instance}}"))
            .max(1.0)
            .alert(alerts.named("DatabaseConnectionsExhausted")?)
            .dashboard_link("Database & cache", "glasshouse-database"))
        .panel(6, graph(
            Unit::Ratio,
            "Payment gateway error ratio",
            "Orders are still accepted; their payments stay pending. See Payments.",
        )
            .query(Query::range(
                r#"sum(rate(payment_gateway_request_duration_seconds_count{job="$service", outcome!="ok"}[2m]) or vector(0)) / sum(rate(payment_gateway_request_duration_seconds_count{job="$service"}[2m]))"#,
            ).legend("error ratio"))
            .alert(alerts.named("PaymentGatewayFailing")?)
            .dashboard_link("Payments", "glasshouse-payments"))
        .panel(6, graph(
            Unit::Ratio,
            "Cache error ratio",
            "Failed lookups fall back to the database, so latency rises a little. See Database & cache.",
        )
            .query(Query::range(
                r#"sum by (cache) (rate(cache_requests_total{job="$service", result="error"}[2m])) / sum by (cache) (rate(cache_requests_total{job="$service"}[2m]))"#,
            ).legend("{{cache}}"))
            .alert(alerts.named("CacheUnavailable")?)
            .dashboard_link("Database & cache", "glasshouse-database"))
        .panel(6, graph(
            Unit::Ratio,
            "Load shed ratio",
            "Requests rejected above a concurrency limit / all requests. Add instances, or find the tenant with the most \
             requests in Tenants.",
        )
            .query(Query::range(
                r#"sum by (job) (rate(load_shed_total{job="$service"}[2m])) / job:http_requests:rate2m{job="$service"}"#,
            ).legend("load shed"))
            .fault_only(&shedding.scenario)
            .alert(shedding)
            .dashboard_link("Tenants", "glasshouse-tenants")))
}
