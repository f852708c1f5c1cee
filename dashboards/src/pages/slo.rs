//! How fast the budgets go, and every alert there is.

use anyhow::Result;
use serde_json::json;

use super::shared::{firing, service};
use crate::alerts::Alerts;
use crate::model::{Badness, Dashboard, Kind, Panel, Query, Row, Unit};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description =
        "Two objectives over 30 days: 99.9 % of requests do not fail, and 99 % take less than 300 ms.";
    Ok(Dashboard::new("glasshouse-slo", "SLOs & alerts", description)
        .variable(service())
        .row(objective("Availability: 99.9 % of requests do not fail", "failed", "Error", alerts)?)
        .row(objective("Latency: 99 % of requests within 300 ms", "slow", "Latency", alerts)?)
        .row(Row::new("Alerts now and before", 9).panel(12, firing(alerts)).panel(12, history()))
        .row(Row::new("Every alert", 20).panel(24, directory(alerts))))
}

fn objective(title: &str, kind: &str, budget: &str, alerts: &Alerts) -> Result<Row> {
    let left = Panel::new(
        Kind::Stat,
        Unit::Share,
        &format!("{budget} budget left"),
        "1 - what was spent in 30 days (or since there is data). Below a quarter, put off risky releases; below 0 \
         the objective is broken.",
    )
    .query(Query::over_time(format!(r#"job:http_requests_{kind}:budget_left30d{{job="$service"}}"#)))
    .bad(Badness::Below(0.25))
    .unbounded();
    let burn = |speed: &str, long: &str, short: &str| {
        let share = |window: &str| {
            Query::over_time(format!(r#"job:http_requests_{kind}:ratio_rate{window}{{job="$service"}}"#))
                .legend(format!("last {window}"))
        };
        let alert = alerts.named(&format!("{budget}BudgetBurn{speed}"))?;
        let description = format!(
            "The share of requests that spend the budget. The alert fires when both are above the line: the {long} tell \
             that it matters, the {short} that it goes on."
        );
        let title = format!("{budget} budget burn, {}", speed.to_lowercase());
        anyhow::Ok(
            Panel::new(Kind::TimeSeries, Unit::Share, &title, &description)
                .query(share(long))
                .query(share(short))
                .alert(alert),
        )
    };
    Ok(Row::new(title, 8)
        .panel(4, left)
        .panel(10, burn("Fast", "1h", "5m")?)
        .panel(10, burn("Slow", "6h", "30m")?))
}

fn history() -> Panel {
    Panel::new(
        Kind::StateTimeline,
        Unit::None,
        "When alerts fired",
        "Red is firing, yellow pending. What began first is often the cause of the rest. Any drill fills it, such as \
         `make drill NAME=high-error-rate`.",
    )
    .query(
        Query::over_time(
            r#"max by (alertname, service) (ALERTS{alertstate="firing"} * 2 or ALERTS{alertstate="pending"})"#,
        )
        .legend("{{alertname}} {{service}}"),
    )
    .empty_says("No alert fired.")
    .bad(Badness::Above(2.0))
    .set("byType", "number", &[("mappings", json!([{ "type": "value", "options": {
        "1": { "text": "pending", "color": "yellow" },
        "2": { "text": "firing", "color": "red" },
    } }]))])
}

fn directory(alerts: &Alerts) -> Panel {
    let mut text = "| alert, with its runbook | severity | what it says | dashboard | rehearse |\n\
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
    Panel::text("All alerts", "If one fires, open its runbook, and its dashboard beside it.", text)
}

/// `{{ $labels.job }} has lost its {{ $labels.thing }}` as `A service has lost its …`.
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
    fn a_summary_reads_without_the_labels_of_an_alert() {
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
