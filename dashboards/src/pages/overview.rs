//! Are users all right? Then, row by row, from the symptom to its cause.

use anyhow::Result;

use super::shared::{endpoint, firing, graph, heatmap, service, spans_p95};
use crate::alerts::Alerts;
use crate::model::{Badness, Dashboard, Kind, Panel, Query, Row, Unit};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    Ok(Dashboard::new(
        "glasshouse-overview",
        "Overview",
        "Are users all right? If not, where is it, and why?",
    )
    .variable(service())
    .variable(endpoint())
    .row(verdict(alerts)?)
    .row(Row::new("What fires", 5).panel(24, firing(alerts)))
    .row(requests(alerts)?)
    .row(places())
    .row(causes(alerts)?))
}

fn verdict(alerts: &Alerts) -> Result<Row> {
    let stat = |unit, title, description, query: &str| {
        Panel::new(Kind::Stat, unit, title, description).query(Query::over_time(query))
    };
    Ok(Row::new("Are users all right?", 4)
        .panel(3, stat(
            Unit::RequestsPerSecond,
            "Requests",
            "How much users ask for, without health checks. If it falls to nothing, look whether anybody reaches \
             the service (InstanceDown, the load balancer) before you believe that all is quiet.",
            r#"job:http_requests:rate2m{job="$service"}"#,
        ))
        .panel(3, stat(
            Unit::Share,
            "Requests that fail",
            "Answers with 5xx. If it is red, see below which endpoints fail.",
            r#"job:http_requests_failed:ratio_rate2m{job="$service"}"#,
        ).alert(alerts.named("HighErrorRate")?))
        .panel(3, stat(
            Unit::Seconds,
            "p95 latency",
            "Nineteen of twenty requests are faster. If it is red, see below which endpoints are slow.",
            r#"job:http_request_duration_seconds:p95_rate2m{job="$service"}"#,
        ).alert(alerts.named("HighResponseTime")?))
        .panel(3, stat(
            Unit::Share,
            "Fullest resource",
            "The fullest of the database pool, the Redis pool and the threads of the runtime. From 80 % on, look \
             at Resources for which one it is: requests soon wait for it.",
            r#"max(label_replace(active_database_connections{job="$service"} / (database_connections_max{job="$service"} > 0), "resource", "database", "job", ".*") or label_replace(redis_connections{job="$service", state="active"} / on (job, instance) redis_connections_max{job="$service"}, "resource", "redis", "job", ".*") or label_replace(rate(runtime_busy_seconds_total{job="$service"}[$__rate_interval]) / runtime_workers{job="$service"}, "resource", "threads", "job", ".*"))"#,
        ).up_to(1.0).bad(Badness::Above(0.8)).leads_to("Resources", "glasshouse-resources"))
        .panel(3, budget("Error budget", "job:http_requests_failed:budget_left30d", "fail"))
        .panel(3, budget("Latency budget", "job:http_requests_slow:budget_left30d", "take longer than 300 ms"))
        .panel(3, stat(
            Unit::Count,
            "Alerts that fire",
            "More than none: open the runbook of each in the table below.",
            r#"count(count by (alertname, service) (ALERTS{alertstate="firing"})) or vector(0)"#,
        ).bad(Badness::Above(1.0)).leads_to("SLOs & alerts", "glasshouse-slo"))
        .panel(3, stat(
            Unit::Count,
            "Processes gone",
            "More than none: somebody cannot be scraped, and so probably serves nobody.",
            r#"count(up{job=~"glasshouse-.+"} == 0) or vector(0)"#,
        ).bad(Badness::Above(1.0)).also(alerts.named("InstanceDown")?)))
}

fn budget(title: &str, metric: &str, what: &str) -> Panel {
    let description = format!(
        "How much of what may {what} in 30 days is left. Below a quarter, put off risky releases; below 0 the \
         objective is broken. SLOs & alerts shows how fast it goes."
    );
    Panel::new(Kind::Stat, Unit::Share, title, &description)
        .query(Query::over_time(format!(r#"{metric}{{job="$service"}}"#)))
        .bad(Badness::Below(0.25))
        .unbounded()
        .leads_to("SLOs & alerts", "glasshouse-slo")
}

fn requests(alerts: &Alerts) -> Result<Row> {
    let answers = |status: &str| {
        format!(
            r#"sum(rate(http_requests_total{{job="$service", endpoint=~"$endpoint", endpoint!~"/health/.*", status=~"{status}"}}[$__rate_interval]))"#
        )
    };
    let duration = |percentile: &str| {
        let query = format!(r#"job:http_request_duration_seconds:{percentile}_rate2m{{job="$service"}}"#);
        Query::over_time(query).legend(percentile)
    };
    Ok(Row::new("Symptoms: traffic, errors, latency", 9)
        .panel(8, Panel::new(
            Kind::Stacked,
            Unit::RequestsPerSecond,
            "Requests by kind of answer",
            "Red is ours (5xx), orange is what callers did wrong or were refused (4xx). Much orange at once is a \
             broken client, a noisy tenant or somebody who tries passwords: see Tenants and Business.",
        )
            .query(Query::over_time(answers("2..")).legend("2xx"))
            .query(Query::over_time(format!("{} or vector(0)", answers("4.."))).legend("4xx"))
            .query(Query::over_time(format!("{} or vector(0)", answers("5.."))).legend("5xx"))
            .color("2xx", "green")
            .color("4xx", "orange")
            .color("5xx", "red"))
        .panel(8, Panel::new(
            Kind::TimeSeries,
            Unit::Share,
            "Share that fails",
            "The line is the alert's. If it began with a deployment (blue mark), take the release back first.",
        )
            .query(Query::over_time(r#"job:http_requests_failed:ratio_rate2m{job="$service"}"#).legend("failing"))
            .alert(alerts.named("HighErrorRate")?))
        .panel(8, Panel::new(
            Kind::TimeSeries,
            Unit::Seconds,
            "Response times",
            "The line is the alert's, for p95. A dot is a request: open its trace, and look which span is long. p99 alone is \
             often one endpoint: see below.",
        )
            .query(duration("p50"))
            .query(duration("p95"))
            .query(duration("p99"))
            .query(spans_p95(r#"service_name="$service", span_kind="SPAN_KIND_SERVER""#))
            .alert(alerts.named("HighResponseTime")?)))
}

fn places() -> Row {
    // Without `max by`, each would have a column `__name__` of its own, and rows could not be joined.
    let by_endpoint = |metric: &str| {
        let series = format!(r#"{metric}{{job="$service", endpoint=~"$endpoint"}}"#);
        let asked_for = r#"job_method_endpoint:http_requests:rate2m{job="$service"} > 0"#;
        Query::table(format!("max by (method, endpoint) ({series} and on (method, endpoint) ({asked_for}))"))
    };
    Row::new("Where: endpoints", 10)
        .panel(14, Panel::new(
            Kind::Table,
            Unit::None,
            "Endpoints",
            "Sorted by the share that fails. One endpoint is a mistake in its code or data; all of them are something \
             that they share, which the next row shows.",
        )
            .query(by_endpoint("job_method_endpoint:http_requests:rate2m"))
            .query(by_endpoint("job_method_endpoint:http_requests_failed:ratio_rate2m"))
            .query(by_endpoint("job_method_endpoint:http_request_duration_seconds:p50_rate2m"))
            .query(by_endpoint("job_method_endpoint:http_request_duration_seconds:p95_rate2m"))
            .one_table(&["method", "endpoint"], "Value #B")
            .width("method", 90)
            .width("endpoint", 240)
            .column("A", "Requests", Unit::RequestsPerSecond)
            .column("B", "Failing", Unit::Share)
            .column("C", "p50", Unit::Seconds)
            .column("D", "p95", Unit::Seconds))
        .panel(10, heatmap(
            "Response times of all requests",
            "Each column is a moment, darker means more requests. A second band is a second kind of request, such as \
             a cache that misses or a dependency that times out; it hides in an average.",
            r#"http_request_duration_seconds_bucket{job="$service", endpoint=~"$endpoint", endpoint!~"/health/.*"}"#,
        ))
}

fn causes(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Why: what requests depend on", 8)
        .panel(6, graph(
            Unit::Share,
            "Database pool in use",
            "If it is full, requests wait for a connection. See Database & cache for who holds them.",
        )
            .query(Query::over_time(
                r#"avg_over_time(active_database_connections{job="$service"}[2m]) / (database_connections_max{job="$service"} > 0)"#,
            ).legend("{{instance}}"))
            .up_to(1.0)
            .alert(alerts.named("DatabaseConnectionsExhausted")?)
            .leads_to("Database & cache", "glasshouse-database"))
        .panel(6, graph(
            Unit::Share,
            "Calls to the payment gateway that fail",
            "Orders are still taken, their payments wait. See Payments.",
        )
            .query(Query::over_time(
                r#"sum(rate(payment_gateway_request_duration_seconds_count{job="$service", outcome!="ok"}[2m]) or vector(0)) / sum(rate(payment_gateway_request_duration_seconds_count{job="$service"}[2m]))"#,
            ).legend("failing"))
            .alert(alerts.named("PaymentGatewayFailing")?)
            .leads_to("Payments", "glasshouse-payments"))
        .panel(6, graph(
            Unit::Share,
            "Look-ups in caches that fail",
            "The database answers instead, so everything is a little slower. See Database & cache.",
        )
            .query(Query::over_time(
                r#"sum by (cache) (rate(cache_requests_total{job="$service", result="error"}[2m])) / sum by (cache) (rate(cache_requests_total{job="$service"}[2m]))"#,
            ).legend("{{cache}}"))
            .alert(alerts.named("CacheUnavailable")?)
            .leads_to("Database & cache", "glasshouse-database"))
        .panel(6, graph(
            Unit::Share,
            "Requests refused to protect the service",
            "More requests at once than it may serve. Add processes, or find who sends so many (Tenants). \
             The drill fills it.",
        )
            .query(Query::over_time(
                r#"sum by (job) (rate(load_shed_total{job="$service"}[2m])) / job:http_requests:rate2m{job="$service"}"#,
            ).legend("refused"))
            .alert(alerts.named("LoadShedding")?)
            .leads_to("Tenants", "glasshouse-tenants")))
}
