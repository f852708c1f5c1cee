//! Service level objectives with their burn rates, and the directory of all alerts.

use anyhow::Result;
use serde_json::json;

use super::firing::firing;
use super::shared::job;
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Threshold, Unit, Visualization};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description =
        "Two objectives over 30 days: 99.9 % of requests succeed, and 99 % take less than 300 ms.";
    Ok(Dashboard::new("glasshouse-slo", "SLOs & alerts", description)
        .variable(job().selected("glasshouse-api"))
        .row(objective("Availability: 99.9 % of requests succeed", "failed", "Error", alerts)?)
        .row(objective("Latency: 99 % of requests within 300 ms", "slow", "Latency", alerts)?)
        .row(Row::new("Alert state and history", 9).panel(12, firing(alerts)?).panel(12, history()))
        .row(Row::new("Alert directory", 20).panel(24, directory(alerts))))
}

fn objective(title: &str, kind: &str, budget: &str, alerts: &Alerts) -> Result<Row> {
    let remaining = Panel::new(
        Visualization::Stat,
        Unit::Ratio,
        &format!("{budget} budget remaining"),
        "The budget that was not spent in the last 30 days, or since the first data. Below 25 %, postpone risky \
         releases; below 0 the objective is missed.",
    )
    .query(Query::range(format!(r#"job:http_requests_{kind}:budget_left30d"#)))
    .threshold(Threshold::Below(0.25))
    .allow_negative();
    let burn = |speed: &str, long: &str, short: &str| {
        let ratio = |window: &str| {
            Query::range(format!(r#"job:http_requests_{kind}:ratio_rate{window}"#))
                .legend(format!("last {window}"))
        };
        let alert = alerts.named(&format!("{budget}BudgetBurn{speed}"))?;
        let description = format!(
            "The ratio of requests that spend the budget. The alert fires while both windows are above the line: {long} shows \
             that the amount is significant, {short} that it continues."
        );
        let title = format!("{budget} budget burn rate, {}", speed.to_lowercase());
        anyhow::Ok(
            Panel::new(Visualization::TimeSeries, Unit::Ratio, &title, &description)
                .query(ratio(long))
                .query(ratio(short))
                .alert(alert),
        )
    };
    Ok(Row::new(title, 8)
        .panel(4, remaining)
        .panel(10, burn("Fast", "1h", "5m")?)
        .panel(10, burn("Slow", "6h", "30m")?))
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
