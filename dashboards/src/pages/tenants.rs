//! Usage, throttling and revenue by tenant.

use anyhow::Result;

use super::shared::{by_slug, by_slug_and_plan, endpoint, graph, instance, job, tenant};
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

/// The current rate of calls of each tenant.
const CALL_RATE: &str = "sum by (tenant_id) (rate(api_calls_total[$__rate_interval]))";

/// The rate limit of each tenant: that of its plan.
const LIMIT: &str =
    "max by (tenant_id) (tenant_info * on (plan) group_left () max by (plan) (plan_rate_limit_per_second))";

/// Links of a series or row to the same tenant elsewhere.
fn drill_down(panel: Panel) -> Panel {
    panel
        .drill_down("This tenant alone", "glasshouse-tenants", &[("tenant", "tenant_id")])
        .drill_down("Log records in Investigate", "glasshouse-investigate", &[("tenant", "tenant_id")])
        .explore("Traces", &Query::traceql(r#"{ kind = server && span.tenant.id = "<tenant_id>" }"#))
}

fn calls() -> Row {
    let total = |label: &str| format!("topk(8, sum by ({label}) (increase(api_calls_total[$__range])) > 0)");
    Row::new("API calls", 9)
        .panel(9, drill_down(Panel::new(
            Visualization::StackedArea,
            Unit::RequestsPerSecond,
            "API calls by tenant (top 10)",
            "One tenant grows alone: an intended migration or campaign, or a client in a loop. The next row shows whether it \
             is throttled.",
        )
            .query(Query::range(by_slug(&format!("topk(10, {CALL_RATE} > 0)"))).legend("{{slug}}"))))
        .panel(5, drill_down(Panel::new(
            Visualization::BarGauge,
            Unit::Ratio,
            "Usage of the plan's rate limit",
            "Current rate of calls / requests per second that the plan allows in the long run. Near 100 %, the tenant will be \
             throttled: offer it a larger plan.",
        )
            .query(Query::instant(by_slug(&format!("topk(8, {CALL_RATE} / {LIMIT})"))).legend("{{slug}}"))
            .max(1.0)
            .states("green", &[(0.8, "orange"), (1.0, "red")])))
        .panel(5, drill_down(Panel::new(
            Visualization::BarGauge,
            Unit::Count,
            "Top tenants by calls",
            "API calls in the selected time range. Click a tenant to filter all panels.",
        )
            .query(Query::instant(by_slug(&total("tenant_id"))).legend("{{slug}}"))))
        .panel(5, Panel::new(
            Visualization::BarGauge,
            Unit::Count,
            "Top endpoints by calls",
            "API calls in the selected time range. A new endpoint at the top is a new client, or a loop.",
        )
            .query(Query::instant(total("endpoint")).legend("{{endpoint}}"))
            .drill_down("This endpoint alone", "glasshouse-tenants", &[("endpoint", "endpoint")]))
}

fn throttling(alerts: &Alerts) -> Result<Row> {
    let noisy = alerts.named("NoisyTenant")?;
    let ratio = format!("sum by (tenant_id) ({})", alerts.value("NoisyTenant")?);
    Ok(Row::new("Throttled tenants", 9)
        .panel(12, drill_down(graph(
            Unit::Ratio,
            "Throttled request ratio by tenant",
            "Rate-limited requests / all requests of the tenant. The line is the alert threshold. Other tenants are not \
             affected. Contact the tenant, or upgrade its plan.",
        )
            .query(Query::range(by_slug(&ratio)).legend("{{slug}}"))
            .max(1.0)
            .fault_only(&noisy.scenario)
            .no_value("No throttled tenants")
            .alert(noisy)))
        .panel(12, drill_down(graph(
            Unit::RequestsPerSecond,
            "Throttled requests by tenant",
            "Requests that were rejected with 429 and Retry-After. A client that keeps a high rate ignores the header.",
        )
            .query(Query::range(by_slug(
                "topk(10, sum by (tenant_id) (rate(tenant_rate_limited_total[$__rate_interval])))",
            )).legend("{{slug}}"))
            .fault_only(&noisy.scenario)
            .no_value("No throttled tenants")
            .related_alert(noisy))))
}

fn revenue() -> Row {
    Row::new("Revenue by tenant", 8)
        .panel(9, drill_down(graph(
            Unit::Dollars,
            "Revenue per hour by tenant (top 10)",
            "Projected from the current rate. One tenant drops to zero alone: place a test order in its shop, and search for \
             its errors in Investigate.",
        )
            .query(Query::range(by_slug(
                "topk(10, sum by (tenant_id) (rate(revenue_total_usd[$__rate_interval])) * 3600)",
            )).legend("{{slug}}"))))
        .panel(15, drill_down(Panel::new(
            Visualization::Table,
            Unit::None,
            "Calls and revenue by tenant",
            "Plan, and totals of the selected time range. Click a row for the log records and traces of the tenant.",
        )
            .query(Query::table(by_slug_and_plan("sum by (tenant_id) (increase(api_calls_total[$__range])) > 0")))
            .query(Query::table(by_slug_and_plan("sum by (tenant_id) (increase(revenue_total_usd[$__range]))")))
            .query(Query::table(by_slug_and_plan(LIMIT)))
            .merged_table(&["slug", "plan"], "Value #A")
            .column_width("slug", 190)
            .column_width("plan", 90)
            .column_width("tenant_id", 300)
            .column("A", "Calls", Unit::Count)
            .column("B", "Revenue", Unit::Dollars)
            .column("C", "Rate limit", Unit::RequestsPerSecond)))
}
