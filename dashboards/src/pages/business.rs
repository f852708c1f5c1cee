//! Whether the business is well: money, customers, orders, and the work that follows them.

use anyhow::Result;

use super::shared::tenant;
use crate::alerts::Alerts;
use crate::model::{Badness, Dashboard, Kind, Panel, Query, Row, Unit};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description =
        "Money, customers and orders. What falls here while all other dashboards are green is worst.";
    Ok(Dashboard::new("glasshouse-business", "Business", description)
        .variable(tenant())
        .row(numbers())
        .row(money_and_orders())
        .row(customers(alerts)?)
        .row(background(alerts)?))
}

fn graph(unit: Unit, title: &str, description: &str, query: &str, legend: &str) -> Panel {
    Panel::new(Kind::TimeSeries, unit, title, description).query(Query::over_time(query).legend(legend))
}

fn numbers() -> Row {
    let stat = |unit, title, description, query: &str| {
        Panel::new(Kind::Stat, unit, title, description).query(Query::now(query))
    };
    Row::new("In the time shown", 4)
        .panel(5, stat(
            Unit::Dollars,
            "Revenue",
            "From paid orders in US dollars, before refunds; other currencies are in the revenue report. Nothing while \
             there are orders: see Payments.",
            r#"sum(increase(revenue_total_usd{tenant_id=~"$tenant"}[$__range]))"#,
        ))
        .panel(5, stat(
            Unit::Count,
            "Orders placed",
            "Nothing at a time of day that has orders: try to place one, then see Overview for `POST /v1/orders`.",
            r#"sum(increase(orders_total{status="pending"}[$__range]))"#,
        ))
        .panel(5, stat(
            Unit::Share,
            "Orders that were paid",
            "Of those that came to an end. If it falls, see Payments: declined, or not decided.",
            r#"sum(increase(orders_total{status="paid"}[$__range])) / sum(increase(orders_total{status=~"paid|payment_failed|cancelled"}[$__range]))"#,
        ).up_to(1.0).bad(Badness::Below(0.7)))
        .panel(5, stat(
            Unit::Count,
            "Sign-ups",
            "New tenants. None for a day: try to sign up.",
            r#"sum(increase(user_signups_total{tenant_id=~"$tenant"}[$__range]))"#,
        ))
        .panel(4, stat(
            Unit::Count,
            "Active users",
            "Different users in the last 15 minutes. A sudden fall with few errors: they cannot log in, or do not reach us.",
            "max(active_users)",
        ))
}

fn money_and_orders() -> Row {
    Row::new("Money and orders", 9)
        .panel(8, graph(
            Unit::Dollars,
            "Revenue per hour",
            "At the current rate. Compare it with the same time yesterday before you worry.",
            r#"sum(rate(revenue_total_usd{tenant_id=~"$tenant"}[5m])) * 3600"#,
            "revenue",
        ))
        .panel(8, Panel::new(
            Kind::TimeSeries,
            Unit::PerMinute,
            "Orders by state that they came into",
            "Pending well above the rest: payments are not decided (Payments). Many payment_failed: declines. Many \
             cancelled: ask the tenants.",
        )
            .query(Query::over_time("sum by (status) (rate(orders_total[$__rate_interval])) * 60").legend("{{status}}")))
        .panel(8, Panel::new(
            Kind::BarGauge,
            Unit::Dollars,
            "Products that earn most",
            "Revenue in the time shown. `other` holds what is beyond the cap on series: its products are in the report.",
        )
            .query(Query::now(
                r#"topk(8, sum by (product) (increase(revenue_total_usd{tenant_id=~"$tenant"}[$__range])))"#,
            ).legend("{{product}}")))
}

fn customers(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Customers", 9)
        .panel(8, graph(
            Unit::Count,
            "Active users over time",
            "Different users in the last 15 minutes. It falls slowly, so a fall is older than it looks.",
            "max(active_users)",
            "users",
        ))
        .panel(8, graph(
            Unit::PerMinute,
            "Sign-ups per minute, by source",
            "By where they came from. A sudden rise without a campaign may be a machine.",
            r#"sum by (source) (rate(user_signups_total{tenant_id=~"$tenant"}[5m])) * 60"#,
            "{{source}}",
        ))
        .panel(8, graph(
            Unit::PerMinute,
            "Logins that fail",
            "The line is the alert's, which also wants more failures than successes: people mistype, machines try \
             passwords.",
            r#"sum by (job) (rate(login_attempts_total{job="glasshouse-api", result="failure"}[2m])) * 60"#,
            "failed",
        )
            .query(Query::over_time(
                r#"sum by (job) (rate(login_attempts_total{job="glasshouse-api", result="success"}[2m])) * 60"#,
            ).legend("succeeded"))
            .alert(alerts.named("LoginFailuresSpike")?)))
}

fn background(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("What follows an order: confirmations and other messages", 8)
        .panel(
            8,
            graph(
                Unit::Seconds,
                "Age of the oldest message that waits",
                "Customers wait for their confirmation. Is the worker there, and does it deliver?",
                "max(outbox_oldest_age_seconds)",
                "oldest",
            )
            .alert(alerts.named("OutboxBacklog")?),
        )
        .panel(
            8,
            graph(
                Unit::Count,
                "Messages that wait",
                "A rise with deliveries going on: the worker is too slow. A rise without any: it is stuck.",
                "max(outbox_pending)",
                "waiting",
            )
            .also(alerts.named("OutboxBacklog")?),
        )
        .panel(
            8,
            graph(
                Unit::PerSecond,
                "Deliveries",
                "`failed` is tried again. If only failures are left, the receiver is gone: look at the lines \
             `outbox_delivery_failed` in Investigate.",
                "sum by (kind, result) (rate(outbox_deliveries_total[$__rate_interval]))",
                "{{kind}} {{result}}",
            )
            .also(alerts.named("OutboxBacklog")?),
        ))
}
