//! Payments by outcome, and the health of the payment gateway.

use anyhow::Result;

use super::shared::{circuit, graph, heatmap, instance, job, percentile, spans_percentiles};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Unit, Visualization};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description = "Payments by outcome, and errors and latency of the payment gateway. Orders are accepted while it is down.";
    Ok(Dashboard::new("glasshouse-payments", "Payments", description)
        .variable(job())
        .variable(instance())
        .row(outcomes(alerts)?)
        .row(open_payments(alerts)?)
        .row(gateway_health(alerts)?)
        .row(gateway_latency()))
}

fn outcomes(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Payment outcomes", 9)
        .panel(9, Panel::new(
            Visualization::StackedArea,
            Unit::PerMinute("payments"),
            "Payments by outcome",
            "Payments are counted when they are decided. None while orders are placed: the gateway is down or the circuit \
             is open, see the open payments. Only declined: see the decline ratio.",
        )
            .query(Query::range("sum by (outcome) (rate(payments_total[$__rate_interval])) * 60").legend("{{outcome}}"))
            .series_color("succeeded", "green")
            .series_color("declined", "orange")
            .series_color("refunded", "blue"))
        .panel(9, graph(
            Unit::Ratio,
            "Payment decline ratio",
            "Declined payments / decided payments. A sudden rise has other causes than missing funds: new fraud rules of the \
             gateway, or card testing with stolen cards.",
        )
            .query(Query::range(
                alerts.value("PaymentDeclinesHigh")?,
            ).legend("declined"))
            .alert(alerts.named("PaymentDeclinesHigh")?))
        .panel(6, Panel::new(
            Visualization::Stat,
            Unit::Dollars,
            "Revenue in the selected time range",
            "Revenue in US dollars, before refunds. It stops growing while payments are pending.",
        )
            .query(Query::instant("sum(increase(revenue_total_usd[$__range]))"))
            .dashboard_link("Business", "glasshouse-business")))
}

fn open_payments(alerts: &Alerts) -> Result<Row> {
    let failing = alerts.named("PaymentGatewayFailing")?;
    Ok(Row::new("Open payments", 9)
        .panel(12, graph(
            Unit::Count,
            "Open payments",
            "Payments that are pending, or whose requested refund is not completed. A few at a time are requests in \
             progress. Growing: the gateway is down or the circuit is open. The worker settles them afterwards.",
        )
            .query(Query::range("max(payments_open)").legend("open"))
            .related_alert(failing))
        .panel(12, graph(
            Unit::Seconds,
            "Oldest open payment age",
            "Above GLASSHOUSE_RECONCILE_AFTER_SECONDS although the gateway responds: the worker does not reconcile, or one \
             payment fails again and again. Search for the log records `payment_stays_open` in Investigate.",
        )
            .query(Query::range("max(payments_oldest_open_age_seconds)").legend("oldest"))
            .alert(alerts.named("PaymentsStuck")?)
            .dashboard_link("Investigate", "glasshouse-investigate")))
}

/// As the alert compares it, but 0 and not absent before the first failure.
pub(super) const GATEWAY_ERRORS: &str = r#"sum by (job) (rate(payment_gateway_request_duration_seconds_count{outcome!="ok"}[2m]) or 0 * rate(payment_gateway_request_duration_seconds_count[2m])) / (sum by (job) (rate(payment_gateway_request_duration_seconds_count[2m])) > 0)"#;

fn gateway_health(alerts: &Alerts) -> Result<Row> {
    let failing = alerts.named("PaymentGatewayFailing")?;
    Ok(Row::new("Payment gateway errors", 9)
        .panel(8, graph(
            Unit::Ratio,
            "Payment gateway error ratio",
            "Failed and timed-out calls / all calls. The line is the alert threshold. Check the status page of the \
             provider; the cause is outside the service.",
        )
            .query(Query::range(GATEWAY_ERRORS).legend("{{job}}"))
            .max(1.0)
            .alert(failing))
        .panel(8, Panel::new(
            Visualization::StackedArea,
            Unit::PerSecond("calls"),
            "Payment gateway calls by outcome",
            "Each attempt counts, including retries. No calls while orders are placed: the circuit is open.",
        )
            .query(Query::range(
                "sum by (operation, outcome) (rate(payment_gateway_request_duration_seconds_count[$__rate_interval]))",
            ).legend("{{operation}} {{outcome}}"))
            .series_shades("ok", "green")
            .series_shades("error", "red")
            .series_shades("timeout", "orange")
            .related_alert(failing))
        .panel(8, circuit(
            "Payment gateway circuit",
            "Of the processes that call the gateway. While its circuit is open, a process rejects calls after too many failures: payments stay open. It probes the \
             gateway and closes by itself.",
        )
            .query(Query::range(
                "max by (job, instance) (payment_gateway_circuit_open and on (job, instance) (database_connections_max > 0))",
            ).legend("{{job}} {{instance}}"))
            .related_alert(failing)))
}

fn gateway_latency() -> Row {
    const BUCKETS: &str = "payment_gateway_request_duration_seconds_bucket";
    Row::new("Charge latency", 9)
        .panel(8, spans_percentiles(
            graph(
                Unit::Seconds,
                "Charge latency with retries",
                "What a customer waits for: all attempts of a charge and the pauses between them. An exemplar leads to the \
                 trace of a charge. Far above a single attempt: calls are retried.",
            ),
            r#"span_name="charge_payment""#,
        ))
        .panel(8, graph(
            Unit::Seconds,
            "Latency of a single attempt (p95)",
            "Of each operation of the gateway. A plateau is the timeout of the client.",
        )
            .query(Query::range(percentile("0.95", BUCKETS, ", operation")).legend("{{operation}}"))
            .legend_values())
        .panel(8, heatmap(
            "Latency distribution of attempts",
            "A second band far above the first is timeouts. It appears before the average rises.",
            BUCKETS,
        ))
}
