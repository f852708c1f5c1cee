//! Usage, throttling and revenue by tenant.

use anyhow::Result;

use super::shared::{endpoint, graph, instance, job, tenant};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Unit, Visualization};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description = "API calls, throttling and revenue by tenant. `other` aggregates tenants above the limit of time series.";
    Ok(Dashboard::new("glasshouse-tenants", "Tenants", description)
        .variable(job())
        .variable(instance())
        .variable(tenant())
        .variable(endpoint())
        .row(calls())
        .row(throttling(alerts)?)
        .row(revenue()))
}

const CALL_RATE: &str = r#"rate(api_calls_total[$__rate_interval])"#;

/// The selected calls in the selected time range, by a label: the eight highest values.
fn top_calls(label: &str) -> Query {
    Query::instant(format!(r#"topk(8, sum by ({label}) (increase(api_calls_total[$__range])) > 0)"#))
        .legend(format!("{{{{{label}}}}}"))
}

fn calls() -> Row {
    Row::new("API calls", 9)
        .panel(12, Panel::new(
            Visualization::StackedArea,
            Unit::RequestsPerSecond,
            "API calls by tenant (top 10)",
            "One tenant grows alone: an intended migration or campaign, or a client in a loop. The next row shows whether it \
             is throttled.",
        )
            .query(Query::range(format!("topk(10, sum by (tenant_id) ({CALL_RATE}) > 0)")).legend("{{tenant_id}}")))
        .panel(6, Panel::new(
            Visualization::BarGauge,
            Unit::Count,
            "Top tenants by calls",
            "API calls in the selected time range. Select a tenant above to filter all panels.",
        )
            .query(top_calls("tenant_id")))
        .panel(6, Panel::new(
            Visualization::BarGauge,
            Unit::Count,
            "Top endpoints by calls",
            "API calls in the selected time range. A new endpoint at the top is a new client, or a loop.",
        )
            .query(top_calls("endpoint")))
}

fn throttling(alerts: &Alerts) -> Result<Row> {
    let noisy = alerts.named("NoisyTenant")?;
    Ok(Row::new("Throttled tenants", 9)
        .panel(12, graph(
            Unit::Ratio,
            "Throttled request ratio by tenant",
            "Rate-limited requests / all requests of the tenant. The line is the alert threshold. Other tenants are not \
             affected. Contact the tenant, or upgrade its plan.",
        )
            .query(Query::range(
                alerts.value("NoisyTenant")?,
            ).legend("{{tenant_id}}"))
            .max(1.0)
            .fault_only(&noisy.scenario)
            .no_value("No throttled tenants")
            .alert(noisy))
        .panel(12, graph(
            Unit::RequestsPerSecond,
            "Throttled requests by tenant",
            "Requests that were rejected with 429 and Retry-After. A client that keeps a high rate ignores the header.",
        )
            .query(Query::range(
                r#"topk(10, sum by (tenant_id) (rate(tenant_rate_limited_total[$__rate_interval])))"#,
            ).legend("{{tenant_id}}"))
            .fault_only(&noisy.scenario)
            .no_value("No throttled tenants")
            .related_alert(noisy)))
}

fn revenue() -> Row {
    Row::new("Revenue by tenant", 8)
        .panel(12, graph(
            Unit::Dollars,
            "Revenue per hour by tenant (top 10)",
            "Projected from the current rate. One tenant drops to zero alone: place a test order in its shop, \
             and search for its errors in Investigate.",
        )
            .query(Query::range(
                r#"topk(10, sum by (tenant_id) (rate(revenue_total_usd[$__rate_interval])) * 3600)"#,
            ).legend("{{tenant_id}}")))
        .panel(12, Panel::new(
            Visualization::Table,
            Unit::None,
            "Calls and revenue by tenant",
            "Totals of the selected time range. To see the log records of a tenant, copy its id to Investigate.",
        )
            .query(Query::table(
                r#"sum by (tenant_id) (increase(api_calls_total[$__range])) > 0"#,
            ))
            .query(Query::table(
                r#"sum by (tenant_id) (increase(revenue_total_usd[$__range]))"#,
            ))
            .merged_table(&["tenant_id"], "Value #A")
            .column_width("tenant_id", 320)
            .column("A", "Calls", Unit::Count)
            .column("B", "Revenue", Unit::Dollars)
            .dashboard_link("Investigate", "glasshouse-investigate"))
}
