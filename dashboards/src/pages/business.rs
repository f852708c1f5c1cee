//! Business metrics: revenue, sign-ups, logins, orders, the outbox, and background jobs.

use anyhow::Result;

use super::shared::{graph, instance, job, tenant};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Unit, Visualization};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description = "Revenue, sign-ups and orders. A drop here while the other dashboards look healthy needs attention first.";
    Ok(Dashboard::new("glasshouse-business", "Business", description)
        .range("24h")
        .variable(job())
        .variable(instance())
        .variable(tenant())
        .row(totals())
        .row(revenue_and_orders())
        .row(users(alerts)?)
        .row(outbox(alerts)?))
}

fn totals() -> Row {
    let stat = |unit, title, description, query: &str| {
        Panel::new(Visualization::Stat, unit, title, description).query(Query::instant(query))
    };
    Row::new("Today", 4)
        .panel(4, stat(
            Unit::Dollars,
            "Revenue today",
            "Revenue of paid orders in US dollars since midnight, before refunds. The revenue report has other currencies. Zero while \
             orders are placed: see Payments.",
            "sum(increase(revenue_total_usd[$__range]))",
        ).today())
        .panel(4, stat(
            Unit::Count,
            "Active users",
            "Distinct users in the last 15 minutes. A sudden drop with few errors: users cannot log in, or their requests \
             do not reach the service.",
            "max(active_users)",
        ))
        .panel(4, stat(
            Unit::Count,
            "API calls (24 h)",
            "Authenticated requests of the last 24 hours. Tenants shows who made them.",
            "sum(increase(api_calls_total[24h]))",
        ).dashboard_link("Tenants", "glasshouse-tenants"))
        .panel(4, stat(
            Unit::Count,
            "Failed payments today",
            "Declined payments since midnight. Open payments have not failed: see Payments for both.",
            r#"sum(increase(payments_total{outcome="declined"}[$__range]))"#,
        ).today().dashboard_link("Payments", "glasshouse-payments"))
        .panel(4, stat(
            Unit::Ratio,
            "Paid order ratio today",
            "Paid orders / completed orders since midnight. If it is red, see Payments for declined and pending payments.",
            r#"sum(increase(orders_total{status="paid"}[$__range])) / sum(increase(orders_total{status=~"paid|payment_failed|cancelled"}[$__range]))"#,
        ).today().max(1.0).states("red", &[(0.7, "orange"), (0.85, "green")]))
        .panel(4, stat(
            Unit::Count,
            "Sign-ups today",
            "New tenants since midnight. None for a day: test the sign-up.",
            "sum(increase(user_signups_total[$__range]))",
        ).today())
}

fn revenue_and_orders() -> Row {
    Row::new("Revenue and orders", 9)
        .panel(8, graph(
            Unit::Dollars,
            "Revenue per hour",
            "Projected from the current rate. Compare it with the same time yesterday before you act.",
        )
            .query(Query::range(
                r#"sum(rate(revenue_total_usd[$__rate_interval])) * 3600"#,
            ).legend("revenue")))
        .panel(8, graph(
            Unit::PerMinute("orders"),
            "Orders by status",
            "Orders that reached each status, per minute. Far more pending than others: payments are not settled, see \
             Payments. Many payment_failed: declined payments. Many cancelled: ask the tenants.",
        )
            // Every order is pending first. The lines of its outcomes are drawn over that one.
            .query(Query::range(
                r#"sum by (status) (rate(orders_total{status="pending"}[$__rate_interval])) * 60"#,
            ).legend("{{status}}"))
            .query(Query::range(
                r#"sum by (status) (rate(orders_total{status!="pending"}[$__rate_interval])) * 60"#,
            ).legend("{{status}}"))
            .series_color("paid", "green")
            .series_color("pending", "blue")
            .series_color("payment_failed", "red")
            .series_color("cancelled", "orange")
            .series_color("refunded", "purple"))
        .panel(8, Panel::new(
            Visualization::BarGauge,
            Unit::Dollars,
            "Top products by revenue",
            "Revenue in the selected time range. `other` aggregates products above the limit of time series; the revenue \
             report lists them.",
        )
            .query(Query::instant(
                r#"topk(8, sum by (product) (increase(revenue_total_usd[$__range])))"#,
            ).legend("{{product}}")))
}

fn users(alerts: &Alerts) -> Result<Row> {
    let logins = |result: &str| {
        Query::range(format!(r#"sum(rate(login_attempts_total{{result="{result}"}}[2m])) * 60"#))
    };
    Ok(Row::new("Users", 9)
        .panel(8, graph(
            Unit::Count,
            "Active users over time",
            "Distinct users in the last 15 minutes. Because of this window, a drop starts earlier than it appears.",
        )
            .query(Query::range("max(active_users)").legend("users")))
        .panel(8, graph(
            Unit::PerMinute("sign-ups"),
            "Sign-ups by source",
            "New tenants per minute. A sudden rise without a campaign may be a bot.",
        )
            .query(Query::range(
                r#"sum by (source) (rate(user_signups_total[$__rate_interval])) * 60"#,
            ).legend("{{source}}")))
        .panel(8, graph(
            Unit::PerMinute("logins"),
            "Login attempts by result",
            "The line is the alert threshold of failed logins. The alert also requires more failures than successes, which \
             suggests credential stuffing.",
        )
            .query(logins("failure").legend("failed"))
            .query(logins("throttled").legend("throttled"))
            .query(logins("success").legend("succeeded"))
            .alert(alerts.named("LoginFailuresSpike")?)))
}

fn outbox(alerts: &Alerts) -> Result<Row> {
    let backlog = alerts.named("OutboxBacklog")?;
    Ok(Row::new("Outbox: confirmations and other messages", 8)
        .panel(5, graph(
            Unit::Seconds,
            "Outbox oldest message age",
            "The delay of the oldest undelivered message. If it rises, check that the worker runs and that deliveries \
             succeed.",
        )
            .query(Query::range("max(outbox_oldest_age_seconds)").legend("oldest"))
            .alert(backlog))
        .panel(5, graph(
            Unit::Count,
            "Outbox backlog",
            "Undelivered messages. Rising while deliveries continue: the worker is too slow. Rising without deliveries: it \
             is stuck.",
        )
            .query(Query::range("max(outbox_pending)").legend("pending"))
            .related_alert(backlog))
        .panel(4, graph(
            Unit::Count,
            "Dead letters",
            "Messages whose delivery was given up. They wait for `glasshouse dead-letters requeue`; remove the cause \
             first.",
        )
            .query(Query::range("max(outbox_dead_letters)").legend("dead letters"))
            .alert(alerts.named("DeadLetters")?))
        .panel(5, graph(
            Unit::PerSecond("messages"),
            "Outbox deliveries by result",
            "Failed deliveries are retried, and given up after the last attempt. If all fail, the receiver is down: search for the log records \
             `outbox_delivery_failed` in Investigate.",
        )
            .query(Query::range(
                "sum by (kind, result) (rate(outbox_deliveries_total[$__rate_interval]))",
            ).legend("{{kind}} {{result}}"))
            .related_alert(backlog))
        .panel(5, graph(
            Unit::Seconds,
            "Time since the last round by job",
            "Of each background job of the slowest worker. If it rises steadily, the job fails or hangs: see \
             `background_job_failed` in Investigate, and the locks of the database. Housekeeping has one round in ten \
             minutes.",
        )
            .query(Query::range("max by (worker_job) (worker_job_last_success_age_seconds)").legend("{{worker_job}}"))
            .related_alert(alerts.named("NotReady")?)))
}
