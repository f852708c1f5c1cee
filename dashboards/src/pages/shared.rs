//! Variables, queries and panels that several dashboards use.

use serde_json::json;

use crate::alerts::Alerts;
use crate::model::{Panel, Query, Unit, Variable, Visualization};

/// Selects one of the services that serve requests.
pub(super) fn service() -> Variable {
    Variable::single("service", "Service", "label_values(job:http_requests:rate2m, job)", "glasshouse-api")
}

/// Selects instances of all services.
pub(super) fn instance() -> Variable {
    Variable::multi("instance", "Instance", r#"label_values(up{job=~"glasshouse-.+"}, instance)"#)
}

/// Selects route patterns.
pub(super) fn endpoint() -> Variable {
    Variable::multi(
        "endpoint",
        "Endpoint",
        r#"label_values(http_requests_total{endpoint!~"/health/.*"}, endpoint)"#,
    )
}

/// Selects tenants that have time series of their own.
pub(super) fn tenant() -> Variable {
    Variable::multi("tenant", "Tenant", "label_values(api_calls_total, tenant_id)")
}

/// A time series graph without queries.
pub(super) fn graph(unit: Unit, title: &str, description: &str) -> Panel {
    Panel::new(Visualization::TimeSeries, unit, title, description)
}

/// PromQL for a quantile (such as `0.95`) of a histogram. `by` has further labels to group by, each after a comma.
pub(super) fn percentile(quantile: &str, buckets: &str, by: &str) -> String {
    format!("histogram_quantile({quantile}, sum by (le{by}) (rate({buckets}[$__rate_interval])))")
}

/// Adds queries for p50, p95 and p99 of a histogram.
pub(super) fn percentiles(mut panel: Panel, buckets: &str) -> Panel {
    for (quantile, legend) in [("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99")] {
        panel = panel.query(Query::range(percentile(quantile, buckets, "")).legend(legend));
    }
    panel
}

/// p95 of span metrics. Only these have exemplars, which lead to traces.
pub(super) fn spans_p95(selector: &str) -> Query {
    let buckets = format!("traces_span_metrics_duration_seconds_bucket{{{selector}}}");
    Query::range(percentile("0.95", &buckets, "")).legend("p95 of spans").exemplars()
}

/// A heat map of a duration histogram.
pub(super) fn heatmap(title: &str, description: &str, buckets: &str) -> Panel {
    Panel::new(Visualization::Heatmap, Unit::Seconds, title, description)
        .query(Query::heatmap(format!("sum by (le) (increase({buckets}[$__rate_interval]))")))
}

/// The table of active alerts, each with a link to its runbook.
pub(super) fn firing(alerts: &Alerts) -> Panel {
    let names: serde_json::Map<String, serde_json::Value> =
        alerts.iter().map(|alert| (alert.name.clone(), json!({ "text": alert.runbook }))).collect();
    Panel::new(
        Visualization::Table,
        Unit::None,
        "Firing and pending alerts",
        "Open the runbook of the first alert. If several fire, start with the likely cause: InstanceDown, NotReady, then \
         the database. An empty table is normal.",
    )
    .query(Query::table(
        r#"max by (alertname, severity, service, alertstate, runbook) (label_replace(ALERTS, "runbook", "$1", "alertname", "(.+)"))"#,
    ))
    .fault_only("high-error-rate")
    .no_value("No active alerts")
    .transform("organize", json!({
        "excludeByName": { "Time": true, "Value": true },
        "indexByName": { "alertstate": 0, "severity": 1, "alertname": 2, "service": 3, "runbook": 4 },
    }))
    .transform("sortBy", json!({ "sort": [{ "field": "severity" }] }))
    .override_fields(
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
    .override_fields(
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
