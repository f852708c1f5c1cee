//! The payment gateway, which is not ours, and what comes of payments.

use anyhow::Result;

use super::shared::{heatmap, percentile, spans_p95};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Kind, Panel, Query, Row, Unit};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description =
        "How the gateway does, and what comes of payments. Orders are taken even if it is gone.";
    Ok(Dashboard::new("glasshouse-payments", "Payments", description)
        .row(outcomes(alerts)?)
        .row(gateway(alerts)?)
        .row(times()))
}

fn outcomes(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("What comes of payments", 9)
        .panel(9, Panel::new(
            Kind::Stacked,
            Unit::PerMinute,
            "Payments by outcome",
            "Only pending ones: the gateway is not there, or the circuit is open; they are settled later. Only declined ones: see \
             the share beside.",
        )
            .query(Query::over_time("sum by (outcome) (rate(payments_total[$__rate_interval])) * 60").legend("{{outcome}}"))
            .color("succeeded", "green")
            .color("declined", "orange")
            .color("pending", "yellow")
            .color("refunded", "blue"))
        .panel(9, Panel::new(
            Kind::TimeSeries,
            Unit::Share,
            "Share that was declined",
            "Customers have money one day and none the next? More likely the gateway's rules changed, or somebody tests stolen \
             cards.",
        )
            .query(Query::over_time(
                r#"sum(rate(payments_total{outcome="declined"}[5m])) / sum(rate(payments_total{outcome=~"declined|succeeded"}[5m]))"#,
            ).legend("declined"))
            .alert(alerts.named("PaymentDeclinesHigh")?))
        .panel(6, Panel::new(
            Kind::Stat,
            Unit::Dollars,
            "Revenue in the time shown",
            "What is at stake. In US dollars, before refunds.",
        )
            .query(Query::now("sum(increase(revenue_total_usd[$__range]))"))
            .leads_to("Business", "glasshouse-business")))
}

fn gateway(alerts: &Alerts) -> Result<Row> {
    let failing = alerts.named("PaymentGatewayFailing")?;
    Ok(Row::new("Whether the gateway answers", 9)
        .panel(9, Panel::new(
            Kind::TimeSeries,
            Unit::Share,
            "Share of calls that fail or time out",
            "The line is the alert's. Look at the provider's status page; nothing on our side mends it.",
        )
            .query(Query::over_time(
                r#"sum by (job) (rate(payment_gateway_request_duration_seconds_count{outcome!="ok"}[2m]) or 0 * rate(payment_gateway_request_duration_seconds_count[2m])) / sum by (job) (rate(payment_gateway_request_duration_seconds_count[2m]))"#,
            ).legend("{{job}}"))
            .up_to(1.0)
            .alert(failing))
        .panel(9, Panel::new(
            Kind::Stacked,
            Unit::PerSecond,
            "Calls by outcome",
            "An attempt each, so retries count. None at all while there are orders: the circuit is open.",
        )
            .query(Query::over_time(
                "sum by (operation, outcome) (rate(payment_gateway_request_duration_seconds_count[$__rate_interval]))",
            ).legend("{{operation}} {{outcome}}"))
            .color("charge ok", "green")
            .color("find ok", "light-green")
            .color("charge error", "red")
            .color("find error", "light-red")
            .color("charge timeout", "orange")
            .color("find timeout", "light-orange")
            .also(failing))
        .panel(6, Panel::new(
            Kind::TimeSeries,
            Unit::Count,
            "Circuit open",
            "1 while the gateway is left alone because it failed too often. It is asked again by itself.",
        )
            .query(Query::over_time("max by (job) (payment_gateway_circuit_open)").legend("{{job}}"))
            .up_to(1.0)
            .alert_on(failing, 2)))
}

fn times() -> Row {
    const BUCKETS: &str = "payment_gateway_request_duration_seconds_bucket";
    let panel = Panel::new(
        Kind::TimeSeries,
        Unit::Seconds,
        "Times of the gateway",
        "p95 of each operation. A customer waits for `charge`. A dot is a call: open its trace. A plateau is our \
         time-out.",
    )
    .query(Query::over_time(percentile("0.95", BUCKETS, ", operation")).legend("{{operation}} p95"))
    .query(spans_p95(r#"service_name="glasshouse-api", span_name="charge_payment""#));
    Row::new("How long it takes", 9).panel(12, panel).panel(
        12,
        heatmap(
            "Times of all calls",
            "A second band far above is time-outs; a gateway in trouble has it before its average rises.",
            BUCKETS,
        ),
    )
}
