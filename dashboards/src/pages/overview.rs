//! The health of the service: golden signals, then endpoints and dependencies to locate a problem.

use anyhow::Result;
use serde_json::json;

use super::firing::firing;
use super::shared::{builds, endpoint, graph, heatmap, instance, job, spans_p95, trace_heatmap};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Threshold, Unit, Visualization};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    Ok(Dashboard::new(
        "glasshouse-overview",
        "Overview",
        "Is the service healthy? If not, which endpoint and which dependency cause the problem? Read it from top to bottom.",
    )
    .variable(job().selected("glasshouse-api"))
    .variable(instance())
    .variable(endpoint())
    .row(health(alerts)?)
    .row(Row::new("Active alerts", 5).panel(24, firing(alerts)?))
    .row(golden_signals(alerts)?)
    .row(saturation(alerts)?)
    .row(endpoints(alerts))
    .row(dependencies(alerts)?))
}

fn health(alerts: &Alerts) -> Result<Row> {
    let stat = |unit, title, description, query: &str| {
        Panel::new(Visualization::Stat, unit, title, description).query(Query::range(query))
    };
    Ok(Row::new("Service health", 4)
        .panel(3, stat(
            Unit::Ratio,
            "Error rate",
            "5xx responses / all requests that count (docs/slo.md). If it is red, find the failing endpoints in the table below.",
            &alerts.value("HighErrorRate")?,
        ).alert(alerts.named("HighErrorRate")?))
        .panel(3, stat(
            Unit::Seconds,
            "p95 latency",
            "95 % of requests are faster. If it is red, find the slow endpoints in the table below.",
            &alerts.value("HighResponseTime")?,
        ).alert(alerts.named("HighResponseTime")?))
        .panel(3, Panel::new(
            Visualization::Stat,
            Unit::Ratio,
            "Highest utilization",
            "The resource with the highest utilization, by name: database pool, Redis pool, runtime threads or memory. Above \
             80 %, requests will soon queue for it: see Resources.",
        )
            .query(Query::instant(format!("topk(1, {})", utilization())).legend("{{resource}}"))
            .max(1.0)
            .states("green", &[(0.8, "orange"), (0.95, "red")])
            .named_value()
            .dashboard_link("Resources", "glasshouse-resources"))
        .panel(3, stat(
            Unit::RequestsPerSecond,
            "Request rate",
            "Requests per second without health checks. If it drops to zero, check that requests reach the service \
             (TrafficAbsent, the load balancer).",
            r#"sum(rate(http_requests_total{endpoint!~"/health/.*"}[$__rate_interval]))"#,
        ).related_alert(alerts.named("TrafficAbsent")?))
        .panel(3, budget("Error budget", "job:http_requests_failed:budget_left30d", "failed requests"))
        .panel(3, budget("Latency budget", "job:http_requests_slow:budget_left30d", "requests slower than 300 ms"))
        .panel(3, firing_count(alerts)?)
        .panel(3, stat(
            Unit::Count,
            "Instances down",
            "Instances of all services that Prometheus cannot scrape. They probably serve no requests: see the runbook of \
             InstanceDown.",
            r#"count(up{job=~"glasshouse-.+"} == 0) or vector(0)"#,
        )
            .states("green", &[(1.0, "red")])
            .unfiltered("Of all services: the API fails if the worker or the gateway is down.")
            .related_alert(alerts.named("InstanceDown")?)))
}

/// The utilization of each limited resource, with its name in the label `resource`.
fn utilization() -> String {
    let named = |name: &str, ratio: &str| {
        format!(r#"label_replace(max by (job) ({ratio}), "resource", "{name}", "job", ".*")"#)
    };
    [
        named("database pool", "active_database_connections / (database_connections_max > 0)"),
        named(
            "Redis pool",
            r#"redis_connections{state="active"} / ignoring (state) (redis_connections_max > 0)"#,
        ),
        named("runtime threads", "rate(runtime_busy_seconds_total[$__rate_interval]) / runtime_workers"),
        named("memory", "process_resident_memory_bytes / process_memory_limit_bytes"),
    ]
    .join(" or ")
}

fn budget(title: &str, metric: &str, spent_by: &str) -> Panel {
    let description = format!(
        "The remaining 30-day budget for {spent_by}. Orange below 25 %: postpone risky releases. Red below 0: the objective is \
         missed. SLOs & alerts shows the burn rate."
    );
    Panel::new(Visualization::Stat, Unit::Ratio, title, &description)
        .query(Query::range(metric))
        .states("red", &[(0.0, "orange"), (0.25, "green")])
        .allow_negative()
        .dashboard_link("SLOs & alerts", "glasshouse-slo")
}

/// The number of the firing alerts that the table below lists.
fn firing_count(alerts: &Alerts) -> Result<Panel> {
    let active = alerts.inhibitions().active_alerts()?;
    let of = |severity: &str| {
        let firing = format!(r#"ALERTS{{alertstate="firing", severity="{severity}"}}"#);
        let query = format!("count(count by (alertname, service) ({firing} and {active})) or vector(0)");
        Query::range(query).legend(severity)
    };
    let color = |color| {
        json!({ "mode": "absolute", "steps": [
        { "color": "green", "value": null }, { "color": color, "value": 1 },
    ] })
    };
    Ok(Panel::new(
        Visualization::Stat,
        Unit::Count,
        "Firing alerts",
        "Critical alerts page; warnings wait for working hours. If any fires, open its runbook from the table below. Alerts that \
         another one inhibits are left out.",
    )
    .query(of("critical"))
    .query(of("warning"))
    .override_fields("byName", "critical", &[("thresholds", color("red"))])
    .override_fields("byName", "warning", &[("thresholds", color("orange"))])
    .unfiltered("Of all services: an alert of the worker or the database explains errors of the API.")
    .dashboard_link("SLOs & alerts", "glasshouse-slo"))
}

fn golden_signals(alerts: &Alerts) -> Result<Row> {
    let responses = |status: &str| {
        format!(
            r#"sum(rate(http_requests_total{{endpoint!~"/health/.*", status=~"{status}"}}[$__rate_interval]))"#
        )
    };
    let latency = |percentile: &str| {
        let query = alerts.series().expand(&format!("job:http_request_duration_seconds:{percentile}_rate2m"));
        Query::range(query).legend(percentile)
    };
    Ok(Row::new("Golden signals: errors, latency, traffic", 9)
        .panel(8, graph(
            Unit::Ratio,
            "Error rate over time",
            "The line is the alert threshold. If the rise began with a deployment (blue annotation), roll back first.",
        )
            .query(Query::range(alerts.value("HighErrorRate")?).legend("{{job}}"))
            .legend_values()
            .alert(alerts.named("HighErrorRate")?)
            .drill_down("Errors in Investigate", "glasshouse-investigate", &[("job", "job")]))
        .panel(8, graph(
            Unit::Seconds,
            "Latency percentiles",
            "The line is the alert threshold of p95. An exemplar leads to the trace of a request: look for its longest \
             span. Only p99 rises: often one endpoint, see below.",
        )
            .query(latency("p50"))
            .query(latency("p95"))
            .query(latency("p99"))
            .query(spans_p95(r#"span_kind="SPAN_KIND_SERVER""#))
            .legend_values()
            .alert(alerts.named("HighResponseTime")?))
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
            .series_color("5xx", "red")))
}

fn saturation(alerts: &Alerts) -> Result<Row> {
    let shedding = alerts.named("LoadShedding")?;
    Ok(Row::new("Saturation", 8)
        .panel(10, graph(
            Unit::Ratio,
            "Utilization by resource",
            "At 100 %, requests wait for the resource. Resources shows it by instance.",
        )
            .query(Query::range(utilization()).legend("{{job}}: {{resource}}"))
            .max(1.0)
            .threshold(Threshold::Above(0.8))
            .dashboard_link("Resources", "glasshouse-resources"))
        .panel(7, graph(
            Unit::Count,
            "In-flight requests and limit",
            "Rising at the same request rate: requests wait for a dependency. Above the limit (dashed), which adapts to the \
             wait for the database, load is shed.",
        )
            .query(Query::range("sum(http_requests_in_flight)").legend("in flight"))
            .query(Query::range("sum(http_requests_in_flight_limit)").legend("limit"))
            .limit_series("limit"))
        .panel(7, graph(
            Unit::Ratio,
            "Load shed ratio",
            "Requests rejected above a concurrency limit / all requests. Add instances, or find the tenant with the most \
             requests in Tenants.",
        )
            .query(Query::range(alerts.value("LoadShedding")?).legend("{{job}}"))
            .fault_only(&shedding.scenario)
            .no_value("No load shed")
            .alert(shedding)
            .dashboard_link("Tenants", "glasshouse-tenants")))
}

fn endpoints(alerts: &Alerts) -> Row {
    // `max by` removes `__name__`, which would otherwise keep the rows of the queries from being joined.
    let by_endpoint = |metric: &str| {
        let requested = "job_method_endpoint:http_requests:rate2m > 0";
        let query =
            format!("max by (method, endpoint) ({metric} and on (job, method, endpoint) ({requested}))");
        Query::table(alerts.series().expand(&query))
    };
    let traces = Query::traceql(
        r#"{ kind = server && span.http.route = "<endpoint>" && (status = error || duration > 300ms) }"#,
    );
    Row::new("Endpoints", 10)
        .panel(12, Panel::new(
            Visualization::Table,
            Unit::None,
            "Endpoints by error rate",
            "One failing endpoint: a defect in its code or data. All endpoints fail: a shared dependency, see the next row. \
             Click a row for its graphs, traces and profile.",
        )
            .query(by_endpoint("job_method_endpoint:http_requests:rate2m"))
            .query(by_endpoint("job_method_endpoint:http_requests_failed:ratio_rate2m"))
            .query(by_endpoint("job_method_endpoint:http_request_duration_seconds:p50_rate2m"))
            .query(by_endpoint("job_method_endpoint:http_request_duration_seconds:p95_rate2m"))
            .fixed_window("The window is that of the alerts, so that the table explains them.")
            .merged_table(&["method", "endpoint"], "Value #B")
            .column_width("method", 90)
            .column_width("endpoint", 220)
            .column("A", "Requests", Unit::RequestsPerSecond)
            .column("B", "Error rate", Unit::Ratio)
            .column("C", "p50", Unit::Seconds)
            .column("D", "p95", Unit::Seconds)
            .column_states("B", "text", &[(0.01, "orange"), (0.05, "red")])
            .column_states("D", "text", &[(0.3, "orange"), (1.0, "red")])
            .drill_down("This endpoint in Overview", "glasshouse-overview", &[("endpoint", "endpoint")])
            .drill_down("Profile and log records in Investigate", "glasshouse-investigate", &[("endpoint", "endpoint")])
            .explore("Failed and slow traces", &traces))
        .panel(6, heatmap(
            "Latency distribution",
            "Darker cells have more requests. A second band is a second kind of request, such as cache misses or timeouts of \
             a dependency, which an average hides.",
            r#"http_request_duration_seconds_bucket{endpoint!~"/health/.*"}"#,
        ))
        .panel(6, trace_heatmap(
            "Latency distribution of traced requests",
            "As measured by spans. Each dot is an exemplar: click one in a slow band to open its trace.",
            r#"span_kind="SPAN_KIND_SERVER""#,
        ))
}

fn dependencies(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Dependencies and builds", 8)
        .panel(6, graph(
            Unit::Ratio,
            "Database pool utilization",
            "At 100 %, requests wait for a connection. See Database & cache for the queries that hold them.",
        )
            .query(Query::range(super::database::POOL_UTILIZATION).legend("{{job}} {{instance}}"))
            .max(1.0)
            .alert(alerts.named("DatabaseConnectionsExhausted")?)
            .drill_down("Database & cache", "glasshouse-database", &[("instance", "instance")]))
        .panel(6, graph(
            Unit::Ratio,
            "Payment gateway error ratio",
            "Orders are still accepted; their payments stay pending. See Payments.",
        )
            .query(Query::range(super::payments::GATEWAY_ERRORS).legend("{{job}}"))
            .max(1.0)
            .alert(alerts.named("PaymentGatewayFailing")?)
            .drill_down("Payments", "glasshouse-payments", &[("job", "job")]))
        .panel(6, graph(
            Unit::Ratio,
            "Cache error ratio",
            "Failed lookups fall back to the database, so latency rises a little. See Database & cache.",
        )
            .query(Query::range(alerts.value("CacheUnavailable")?).legend("{{cache}}"))
            .max(1.0)
            .alert(alerts.named("CacheUnavailable")?)
            .drill_down("Database & cache", "glasshouse-database", &[("job", "job")]))
        .panel(6, builds()))
}
