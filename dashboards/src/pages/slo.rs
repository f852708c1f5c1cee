//! Service level objectives with their burn rates, and the directory of all alerts.

use anyhow::Result;
use glasshouse_drill::slo::Slo;
use serde_json::json;

use super::firing::firing;
use super::shared::{graph, job};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Threshold, Unit, Visualization};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description =
        "Two objectives over 30 days: 99.9 % of requests succeed, and 99 % take less than 300 ms.";
    let availability =
        Objective { budget: "Error", slo: alerts.objective("availability")?, scenario: "error-budget-burn" };
    let latency =
        Objective { budget: "Latency", slo: alerts.objective("latency")?, scenario: "latency-budget-burn" };
    Ok(Dashboard::new("glasshouse-slo", "SLOs & alerts", description)
        .variable(job().selected("glasshouse-api"))
        .row(availability.state("Availability: 99.9 % of requests succeed"))
        .row(availability.course(alerts, FAILED))
        .row(latency.state("Latency: 99 % of requests within 300 ms"))
        .row(latency.course(alerts, SLOW))
        .row(Row::new("Alert state and history", 9).panel(12, firing(alerts)?).panel(12, history()))
        .row(Row::new("Alert directory", DIRECTORY_HEIGHT).panel(24, directory(alerts))))
}

/// The requests of each endpoint in the selected time range that spend the error budget.
const FAILED: &str =
    r#"sum by (endpoint) (increase(http_requests_total{status=~"5..", endpoint!~"/health/.*"}[$__range]))"#;

/// The requests of each endpoint in the selected time range that spend the latency budget.
const SLOW: &str = r#"sum by (endpoint) (increase(http_request_duration_seconds_count{endpoint!~"/health/.*"}[$__range])) - sum by (endpoint) (increase(http_request_duration_seconds_bucket{le="0.3", endpoint!~"/health/.*"}[$__range]))"#;

/// The requests in the selected time range that count for an objective: neither throttled nor shed.
const VALID: &str = r#"increase(http_requests_total{status!="429", endpoint!~"/health/.*"}[$__range]) or -increase(load_shed_total[$__range])"#;

/// The height at which the directory shows all alerts.
const DIRECTORY_HEIGHT: u32 = 34;

/// The windows over which budgets are watched. The longest one changes slowly, and shows a leak that the others miss.
const WINDOWS: [&str; 3] = ["1h", "6h", "3d"];

/// The period of an objective in seconds.
const PERIOD: f64 = 30.0 * 86_400.0;

/// The burn rates at which alerts fire: a ticket, and two that page.
const BURN_STATES: [(f64, &str); 3] = [(1.0, "yellow"), (6.0, "orange"), (14.4, "red")];

/// A service level objective.
struct Objective<'a> {
    /// The name of its budget, with which the names of its alerts begin.
    budget: &'static str,
    /// Its specification.
    slo: &'a Slo,
    /// The drill that spends it.
    scenario: &'static str,
}

impl Objective<'_> {
    /// The remaining budget as a ratio, negative if it is overspent.
    fn left(&self) -> String {
        self.slo.budget_left()
    }

    /// The burn rate of a window: 1 spends the budget exactly within the period.
    fn burn(&self, window: &str) -> String {
        format!("{} / {}", self.slo.ratio(window), self.slo.budget())
    }

    /// Where the objective stands now.
    fn state(&self, title: &str) -> Row {
        let budget = self.budget.to_lowercase();
        let stat = |unit, title: &str, description: &str| {
            Panel::new(Visualization::Stat, unit, &format!("{} {title}", self.budget), description)
                .allow_negative()
        };
        let left = self.left();
        let burn = stat(
            Unit::Multiple,
            "budget burn rate",
            "How many times faster than allowed the budget is spent: at 1 it lasts exactly 30 days, at 14.4 two days. A high rate \
             over 1 hour that continues pages; one over 3 days is a ticket.",
        );
        Row::new(title, 4)
            .panel(3, stat(Unit::Ratio, "objective", "The ratio of requests that must not spend the budget within 30 days.")
                .query(Query::range(format!("vector({})", 1.0 - self.slo.budget()))))
            .panel(4, stat(
                Unit::Ratio,
                "SLI achieved",
                "The ratio of good requests of the last 30 days, or since the first data. Red is below the objective.",
            )
                .query(Query::range(format!("1 - {} * (1 - {left})", self.slo.budget())))
                .decimals(3)
                .states("red", &[(1.0 - self.slo.budget(), "green")]))
            .panel(4, stat(
                Unit::Ratio,
                "budget remaining",
                "The budget that was not spent in the last 30 days. Below 25 % (orange), postpone risky releases; below 0 (red) the \
                 objective is missed.",
            )
                .query(Query::range(&left))
                .states("red", &[(0.0, "orange"), (0.25, "green")]))
            .panel(5, stat(
                Unit::Seconds,
                "budget exhausted in",
                &format!("The time until the {budget} budget is spent, if requests go on as in the last hour. No value: it is not being spent."),
            )
                .query(Query::range(format!(
                    "clamp_min({left}, 0) * {PERIOD} / ({} > 0)",
                    self.burn("1h")
                )))
                .no_value("never")
                .fault_only(self.scenario)
                .states("red", &[(2.0 * 86_400.0, "orange"), (10.0 * 86_400.0, "green")]))
            .panel(8, WINDOWS.into_iter().fold(burn, |panel, window| {
                panel.query(Query::range(self.burn(window)).legend(format!("last {window}")))
            }).states("green", &BURN_STATES))
    }

    /// How the objective got there, and because of which endpoints.
    fn course(&self, alerts: &Alerts, spent: &str) -> Row {
        let budget = self.budget.to_lowercase();
        let burn = graph(
            Unit::Multiple,
            &format!("{} budget burn rate over time", self.budget),
            "The lines are the thresholds of the alerts, which also require that a shorter window continues to burn.",
        );
        let burn = WINDOWS.into_iter().fold(burn, |panel, window| {
            panel.query(Query::range(self.burn(window)).legend(format!("last {window}")))
        });
        let name = format!("{}BudgetBurn", self.budget);
        let burn = alerts
            .iter()
            .filter(|alert| alert.name.starts_with(&name))
            .fold(burn, Panel::related_alert)
            .states("green", &BURN_STATES);
        let remaining = graph(
            Unit::Ratio,
            &format!("{} budget remaining over time", self.budget),
            "A step down is an incident; a steady slope a defect that fails some requests all the time.",
        )
        .query(Query::range(self.left()).legend("{{job}}"))
        .max(1.0)
        .allow_negative();
        let by_endpoint = Panel::new(
            Visualization::BarGauge,
            Unit::Ratio,
            &format!("{} budget spent by endpoint", self.budget),
            "In the selected time range, as a ratio of what its requests allow: above 100 % in total, the budget is spent faster \
             than it may be. Click an endpoint to see its errors.",
        )
        .query(Query::instant(format!(
            "topk(8, ({spent}) / scalar({} * sum({VALID})) > 0)",
            self.slo.budget()
        )).legend("{{endpoint}}"))
        .no_value("Nothing spent")
        .fault_only(self.scenario)
        .drill_down("This endpoint in Overview", "glasshouse-overview", &[("endpoint", "endpoint")]);
        Row::new(&format!("Course of the {budget} budget"), 8)
            .panel(10, burn)
            .panel(7, remaining)
            .panel(7, by_endpoint)
    }
}

fn history() -> Panel {
    Panel::new(
        Visualization::StateTimeline,
        Unit::None,
        "Alert history",
        "Red is firing, yellow is pending. The alert that began first is often the cause of the others.",
    )
    .query(
        Query::range(
            r#"max by (alertname, service) (ALERTS{alertstate="firing", severity!="none"} * 2 or ALERTS{alertstate="pending"})"#,
        )
        .legend("{{alertname}} {{service}}"),
    )
    .fault_only("high-error-rate")
    .no_value("No alerts")
    .threshold(Threshold::Above(2.0))
    .override_fields("byType", "number", &[("mappings", json!([{ "type": "value", "options": {
        "1": { "text": "pending", "color": "yellow" },
        "2": { "text": "firing", "color": "red" },
    } }]))])
}

fn directory(alerts: &Alerts) -> Panel {
    let mut text = "| alert (runbook) | severity | summary | dashboard | drill |\n\
                    | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for alert in alerts.iter() {
        let uid = &alert.dashboard;
        text += &format!(
            "| [{}]({}) | {} | {} | [{}](/d/{uid}) | `make drill NAME={}` |\n",
            alert.name,
            alert.runbook_url(),
            alert.severity,
            without_templates(&alert.summary),
            uid.trim_start_matches("glasshouse-"),
            alert.scenario,
        );
    }
    Panel::text("All alerts", "When an alert fires, open its runbook and its dashboard.", text)
}

/// Replaces templates: `{{ $labels.job }} has lost its {{ $labels.thing }}` becomes `A service has lost its …`.
fn without_templates(summary: &str) -> String {
    let mut parts = summary.replace("{{ $labels.job }}", "a service");
    while let Some((before, rest)) = parts.split_once("{{") {
        let after = rest.split_once("}}").map_or("", |(_, after)| after);
        parts = format!("{before}…{after}");
    }
    let mut letters = parts.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_in_summaries_are_replaced() {
        let of = |summary| without_templates(summary);
        assert_eq!(of("{{ $labels.job }} is down"), "A service is down");
        assert_eq!(
            of("The cache {{ $labels.cache }} of {{ $labels.job }} fails"),
            "The cache … of a service fails"
        );
        assert_eq!(of("Nothing to fill in"), "Nothing to fill in");
        assert_eq!(of("Never closed {{ $labels.job"), "Never closed …");
    }
}
