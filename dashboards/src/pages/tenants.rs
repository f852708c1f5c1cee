//! Who uses the service, and whether one of them is too much for the others.

use anyhow::Result;

use super::shared::{endpoint, tenant};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Kind, Panel, Query, Row, Unit};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description =
        "Who uses the service, and how much. `other` holds the tenants beyond the cap on series.";
    Ok(Dashboard::new("glasshouse-tenants", "Tenants", description)
        .variable(tenant())
        .variable(endpoint())
        .row(calls())
        .row(limits(alerts)?)
        .row(money()))
}

const CALLS: &str = r#"rate(api_calls_total{tenant_id=~"$tenant", endpoint=~"$endpoint"}[$__rate_interval])"#;

fn calls() -> Row {
    Row::new("Who calls", 9)
        .panel(12, Panel::new(
            Kind::Stacked,
            Unit::RequestsPerSecond,
            "API calls by tenant, the ten largest",
            "One that grows while the others stay: is it wanted (a migration, a campaign), or a client in a loop? Below is \
             whether it is refused.",
        )
            .query(Query::over_time(format!("topk(10, sum by (tenant_id) ({CALLS}) > 0)")).legend("{{tenant_id}}")))
        .panel(6, Panel::new(
            Kind::BarGauge,
            Unit::Count,
            "Top tenants by calls",
            "Requests in the time shown. Choose one above to see it alone.",
        )
            .query(Query::now(
                r#"topk(8, sum by (tenant_id) (increase(api_calls_total{tenant_id=~"$tenant", endpoint=~"$endpoint"}[$__range])) > 0)"#,
            ).legend("{{tenant_id}}")))
        .panel(6, Panel::new(
            Kind::BarGauge,
            Unit::Count,
            "What they call",
            "Requests by endpoint in the time shown. One that is new at the top is a new client, or a loop.",
        )
            .query(Query::now(
                r#"topk(8, sum by (endpoint) (increase(api_calls_total{tenant_id=~"$tenant", endpoint=~"$endpoint"}[$__range])) > 0)"#,
            ).legend("{{endpoint}}")))
}

fn limits(alerts: &Alerts) -> Result<Row> {
    let noisy = alerts.named("NoisyTenant")?;
    Ok(Row::new("Who is refused by the rate limit", 9)
        .panel(12, Panel::new(
            Kind::TimeSeries,
            Unit::Share,
            "Share of a tenant's requests that was refused",
            "The line is the alert's. Others are not affected: the limit is there for that. Talk to the tenant, or \
             give it a larger plan. Empty while nobody is refused; the drill fills it.",
        )
            .query(Query::over_time(
                r#"sum by (tenant_id) (rate(tenant_rate_limited_total{tenant_id=~"$tenant"}[2m])) / sum by (tenant_id) (rate(api_calls_total{tenant_id=~"$tenant"}[2m]))"#,
            ).legend("{{tenant_id}}"))
            .up_to(1.0)
            .empty_says("Nobody was refused.")
            .alert(noisy))
        .panel(12, Panel::new(
            Kind::TimeSeries,
            Unit::RequestsPerSecond,
            "Requests that were refused",
            "By tenant. Empty while nobody is refused; the drill fills it. Callers get 429 with Retry-After: one that \
             goes on ignores it.",
        )
            .query(Query::over_time(
                r#"topk(10, sum by (tenant_id) (rate(tenant_rate_limited_total{tenant_id=~"$tenant"}[$__rate_interval])))"#,
            ).legend("{{tenant_id}}"))
            .empty_says("Nobody was refused.")
            .also(noisy)))
}

fn money() -> Row {
    Row::new("Who earns", 8)
        .panel(12, Panel::new(
            Kind::TimeSeries,
            Unit::Dollars,
            "Revenue per hour by tenant, the ten largest",
            "At the current rate. A tenant that falls to nothing alone: try its shop, look for its errors in Investigate.",
        )
            .query(Query::over_time(
                r#"topk(10, sum by (tenant_id) (rate(revenue_total_usd{tenant_id=~"$tenant"}[5m])) * 3600)"#,
            ).legend("{{tenant_id}}")))
        .panel(12, Panel::new(
            Kind::Table,
            Unit::None,
            "Tenants, in the time shown",
            "To see the log lines of one, copy its id into Investigate.",
        )
            .query(Query::table(
                r#"sum by (tenant_id) (increase(api_calls_total{tenant_id=~"$tenant"}[$__range])) > 0"#,
            ))
            .query(Query::table(
                r#"sum by (tenant_id) (increase(revenue_total_usd{tenant_id=~"$tenant"}[$__range]))"#,
            ))
            .one_table(&["tenant_id"], "Value #A")
            .width("tenant_id", 320)
            .column("A", "Calls", Unit::Count)
            .column("B", "Revenue", Unit::Dollars)
            .leads_to("Investigate", "glasshouse-investigate"))
}
