//! Variables, queries and panels that several dashboards use.

use serde_json::json;

use crate::model::{Panel, Query, Unit, Variable, Visualization};

/// Selects services. The collector names the service of a span `service_name`.
pub(super) fn job() -> Variable {
    Variable::multi("job", "Job", r#"label_values(up{job=~"glasshouse-.+"}, job)"#, &["job", "service_name"])
}

/// Selects instances of the selected services.
pub(super) fn instance() -> Variable {
    let query = r#"label_values(up{job=~"$job", job=~"glasshouse-.+"}, instance)"#;
    Variable::multi("instance", "Instance", query, &["instance"])
}

/// Selects route patterns of the selected services. The collector names that of a span `http_route`.
pub(super) fn endpoint() -> Variable {
    let query = r#"label_values(http_requests_total{job=~"$job", endpoint!~"/health/.*"}, endpoint)"#;
    Variable::multi("endpoint", "Endpoint", query, &["endpoint", "http_route"])
}

/// Selects tenants that have time series of their own, by slug.
pub(super) fn tenant() -> Variable {
    Variable::named("tenant", "Tenant", "tenant_info", ["slug", "tenant_id"], &["tenant_id"]).or_none()
}

/// PromQL for a value by `tenant_id`, with the label `slug` of the tenant.
pub(super) fn by_slug(expression: &str) -> String {
    format!("({expression}) * on (tenant_id) group_left (slug) max by (tenant_id, slug) (tenant_info)")
}

/// As [`by_slug`], also with the label `plan`.
pub(super) fn by_slug_and_plan(expression: &str) -> String {
    format!(
        "({expression}) * on (tenant_id) group_left (slug, plan) max by (tenant_id, slug, plan) (tenant_info)"
    )
}

/// A time series graph without queries.
pub(super) fn graph(unit: Unit, title: &str, description: &str) -> Panel {
    Panel::new(Visualization::TimeSeries, unit, title, description)
}

/// PromQL for a quantile (such as `0.95`) of a histogram. `by` has further labels to group by, each after a comma.
pub(super) fn percentile(quantile: &str, buckets: &str, by: &str) -> String {
    format!("histogram_quantile({quantile}, sum by (le{by}) (rate({buckets}[$__rate_interval])))")
}

/// Adds queries for p50, p95 and p99 of a histogram, with their values in the legend.
pub(super) fn percentiles(panel: Panel, buckets: &str) -> Panel {
    let query = |(quantile, legend)| Query::range(percentile(quantile, buckets, "")).legend(legend);
    QUANTILES.into_iter().map(query).fold(panel.legend_values(), Panel::query)
}

/// As [`percentiles`], of spans. Only these have exemplars, which lead to traces.
pub(super) fn spans_percentiles(panel: Panel, selector: &str) -> Panel {
    let buckets = format!("traces_span_metrics_duration_seconds_bucket{{{selector}}}");
    let query =
        |(quantile, legend)| Query::range(percentile(quantile, &buckets, "")).legend(legend).exemplars();
    QUANTILES.into_iter().map(query).fold(panel.legend_values(), Panel::query)
}

const QUANTILES: [(&str, &str); 3] = [("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99")];

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

/// A heat map of spans of requests. Its exemplars lead to traces.
pub(super) fn trace_heatmap(title: &str, description: &str, selector: &str) -> Panel {
    let buckets = format!("traces_span_metrics_duration_seconds_bucket{{{selector}}}");
    Panel::new(Visualization::Heatmap, Unit::Seconds, title, description)
        .query(Query::heatmap(format!("sum by (le) (increase({buckets}[$__rate_interval]))")).exemplars())
}

/// The states of circuit breakers over time, without queries. A query has the value 1 while its circuit is open.
pub(super) fn circuit(title: &str, description: &str) -> Panel {
    Panel::new(Visualization::StateTimeline, Unit::Count, title, description)
        .states("green", &[(1.0, "red")])
        .override_fields(
            "byType",
            "number",
            &[(
                "mappings",
                json!([{ "type": "value", "options": {
            "0": { "text": "closed", "color": "green" },
            "1": { "text": "open", "color": "red" },
        } }]),
            )],
        )
}

/// The versions that run.
pub(super) fn builds() -> Panel {
    Panel::new(
        Visualization::Table,
        Unit::None,
        "Builds",
        "The version and commit of each service. Several builds of one service: a deployment is in progress or incomplete.",
    )
    .query(Query::table("count by (job, version, commit) (build_info)"))
    .merged_table(&["job", "version", "commit"], "job")
    .column_width("job", 135)
    .column_width("version", 60)
    .column_width("commit", 80)
    .column("", "Instances", Unit::Count)
}
