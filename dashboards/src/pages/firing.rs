//! The table of active alerts.

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::alerts::Alerts;
use crate::model::{Alert, Panel, Query, Unit, Visualization};

/// The labels that stand for values of the catalogue: Grafana shows the value that is mapped to the name of the alert.
const MAPPED: [&str; 2] = ["runbook", "dashboard"];

/// The table of alerts that are pending or firing and not inhibited, the oldest of each, with links to runbook and dashboard.
pub(super) fn firing(alerts: &Alerts) -> Result<Panel> {
    let since = format!(
        "min by (alertname, severity, service, alertstate) \
         (ALERTS_FOR_STATE * ignoring (alertstate) group_right () {}) * 1000",
        alerts.inhibitions().active_alerts()?
    );
    let query = MAPPED.iter().fold(since, |query, label| {
        format!(r#"label_replace({query}, "{label}", "$1", "alertname", "(.+)")"#)
    });
    let panel = Panel::new(
        Visualization::Table,
        Unit::None,
        "Active alerts",
        "Open the runbook of the first alert: the oldest is often the cause. Alerts that another one inhibits are left out. An \
         empty table is normal.",
    )
    .query(Query::table(query))
    .fault_only("high-error-rate")
    .no_value("No active alerts")
    .unfiltered("Of all services: an alert of the worker or the database explains errors of the API.")
    .transform("organize", json!({
        "excludeByName": { "Time": true },
        "indexByName": { "severity": 0, "alertname": 1, "service": 2, "alertstate": 3, "Value": 4, "runbook": 5, "dashboard": 6 },
        "renameByName": { "Value": "since", "alertname": "alert", "alertstate": "state" },
    }))
    .transform("sortBy", json!({ "sort": [{ "field": "since" }] }))
    .override_fields("byName", "since", &[("unit", json!("dateTimeFromNow"))])
    .override_fields("byName", "severity", &colors(&[("critical", "red"), ("warning", "orange")]))
    .override_fields("byName", "state", &colors(&[("firing", "text"), ("pending", "yellow")]));
    Ok(panel
        .override_fields(
            "byName",
            "runbook",
            &link(alerts, "/public/runbooks/${__value.text}.html", |alert| &alert.runbook),
        )
        .override_fields(
            "byName",
            "dashboard",
            &link(
                alerts,
                "/d/${__value.text}?${__url_time_range}&var-job=${__data.fields.service}",
                |alert| &alert.dashboard,
            ),
        ))
}

/// Colors the text of a cell by its value.
fn colors(colors: &[(&str, &str)]) -> [(&'static str, Value); 2] {
    let options: Map<String, Value> = colors
        .iter()
        .map(|(text, color)| ((*text).to_owned(), json!({ "text": text, "color": color })))
        .collect();
    [
        ("mappings", json!([{ "type": "value", "options": options }])),
        ("custom.cellOptions", json!({ "type": "color-text" })),
    ]
}

/// Maps names of alerts to texts, and links them.
fn link(alerts: &Alerts, url: &str, text: impl Fn(&Alert) -> &String) -> [(&'static str, Value); 2] {
    let options: Map<String, Value> =
        alerts.iter().map(|alert| (alert.name.clone(), json!({ "text": text(alert) }))).collect();
    [
        ("mappings", json!([{ "type": "value", "options": options }])),
        ("links", json!([{ "title": "Open ${__value.text}", "url": url, "targetBlank": true }])),
    ]
}
