//! Parts that several dashboards have.

use serde_json::json;

use crate::alerts::Alerts;
use crate::model::{Kind, Panel, Query, Unit, Variable};

/// The services that answer requests.
pub(super) fn service() -> Variable {
    Variable::one_of("service", "Service", "label_values(job:http_requests:rate2m, job)", "glasshouse-api")
}

/// The processes of all services.
pub(super) fn instance() -> Variable {
    Variable::some_of("instance", "Instance", r#"label_values(up{job=~"glasshouse-.+"}, instance)"#)
}

/// The routes.
pub(super) fn endpoint() -> Variable {
    Variable::some_of(
        "endpoint",
        "Endpoint",
        r#"label_values(http_requests_total{endpoint!~"/health/.*"}, endpoint)"#,
    )
}

/// The tenants that have a series of their own.
pub(super) fn tenant() -> Variable {
    Variable::some_of("tenant", "Tenant", "label_values(api_calls_total, tenant_id)")
}

/// Lines over time.
pub(super) fn graph(unit: Unit, title: &str, description: &str) -> Panel {
    Panel::new(Kind::TimeSeries, unit, title, description)
}

/// A percentile of a histogram, such as 0.95 of `database_query_duration_seconds_bucket` in `by`.
pub(super) fn percentile(share: &str, buckets: &str, by: &str) -> String {
    format!("histogram_quantile({share}, sum by (le{by}) (rate({buckets}[$__rate_interval])))")
}

/// p50, p95 and p99 of a histogram, as three queries.
pub(super) fn percentiles(mut panel: Panel, buckets: &str) -> Panel {
    for (share, legend) in [("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99")] {
        panel = panel.query(Query::over_time(percentile(share, buckets, "")).legend(legend));
    }
    panel
}

/// The same from spans. Only these have exemplars: the dots that lead to a trace.
pub(super) fn spans_p95(selector: &str) -> Query {
    let buckets = format!("traces_span_metrics_duration_seconds_bucket{{{selector}}}");
    Query::over_time(percentile("0.95", &buckets, "")).legend("p95 of spans").exemplars()
}

/// A heat map of a histogram's buckets.
pub(super) fn heatmap(title: &str, description: &str, buckets: &str) -> Panel {
    Panel::new(Kind::Heatmap, Unit::Seconds, title, description)
        .query(Query::buckets(format!("sum by (le) (increase({buckets}[$__rate_interval]))")))
}

/// The alerts that fire, each with its runbook.
pub(super) fn firing(alerts: &Alerts) -> Panel {
    let names: serde_json::Map<String, serde_json::Value> =
        alerts.iter().map(|alert| (alert.name.clone(), json!({ "text": alert.runbook }))).collect();
    Panel::new(
        Kind::Table,
        Unit::None,
        "Firing and pending alerts",
        "Critical first. Open the runbook of the first one and do what it says; if several fire, begin with the \
         cause: InstanceDown, NotReady, then the database. No row is good. Any drill fills it, such as \
         `make drill NAME=high-error-rate`.",
    )
    .query(Query::table(
        r#"max by (alertname, severity, service, alertstate, runbook) (label_replace(ALERTS, "runbook", "$1", "alertname", "(.+)"))"#,
    ))
    .empty_says("No alert fires.")
    .transform("organize", json!({
        "excludeByName": { "Time": true, "Value": true },
        "indexByName": { "alertstate": 0, "severity": 1, "alertname": 2, "service": 3, "runbook": 4 },
    }))
    .transform("sortBy", json!({ "sort": [{ "field": "severity" }] }))
    .set(
        "byName",
        "runbook",
        &[
            ("mappings", json!([{ "type": "value", "options": names }])),
            ("links", json!([{
                "title": "Open the runbook",
                "url": "/public/runbooks/${__value.text}.md",
                "targetBlank": true,
            }])),
        ],
    )
    .set(
        "byName",
        "alertstate",
        &[
            ("mappings", json!([{ "type": "value", "options": {
                "firing": { "text": "firing", "color": "red" },
                "pending": { "text": "pending", "color": "yellow" },
            } }])),
            ("custom.cellOptions", json!({ "type": "color-background" })),
        ],
    )
}
