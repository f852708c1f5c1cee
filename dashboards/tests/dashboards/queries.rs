//! Queries ask for what is exported, and panels turn red where their alerts fire.

use glasshouse_dashboards::alerts::Alerts;
use glasshouse_dashboards::model::Badness;
use glasshouse_drill::contract::{self, ExportedMetrics};
use serde_json::{Value, json};

use crate::{dashboard, dashboards, data_sources, project, provisioned_query, text};

/// What `docs/telemetry.md` says is exported, and that the drills compare with the running service. Labels of
/// a row hold for each of its metrics.
pub(crate) fn documented() -> ExportedMetrics {
    let mut exported = ExportedMetrics::default();
    exported.add_external();
    // The rows that name more than one metric by their beginning alone.
    for metric in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"]
    {
        exported.add(&format!("process_{metric}"), []);
    }
    let text = include_str!("../../../docs/telemetry.md");
    let table = text.split("\n## ").find(|section| section.starts_with("Metrics\n")).unwrap();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let columns: Vec<_> = row.split('|').collect();
        let names = |column: &str| {
            column.replace('`', "").split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
        };
        let labels = names(columns[2]);
        let labels = || labels.iter().map(String::as_str).filter(|label| !label.is_empty());
        for metric in names(columns[1]) {
            exported.add(&metric, labels());
            if metric.ends_with("_seconds") {
                // A histogram, or a gauge of which nobody asks for these.
                exported.add(&format!("{metric}_count"), labels());
                exported.add(&format!("{metric}_sum"), labels());
                exported.add(&format!("{metric}_bucket"), labels().chain(["le"]));
            }
        }
    }
    exported
}

#[test]
fn every_query_asks_for_metrics_and_labels_that_are_exported() {
    assert_eq!(contract::of_project(&project(), &documented()).unwrap(), Vec::<String>::new());
}

#[test]
fn data_sources_ask_for_metrics_and_labels_that_are_exported() {
    let sources = data_sources();
    let asked = sources.iter().flat_map(|source| source["jsonData"]["tracesToMetrics"]["queries"].as_array());
    let query = |one: &Value| provisioned_query(text(&one["name"]), &one["query"]);
    let queries: Vec<_> = asked.flatten().map(query).collect();
    assert!(!queries.is_empty(), "they were not found");
    assert_eq!(contract::violations(&queries, &[], &documented()).unwrap(), [""; 0]);
}

#[test]
fn every_dashboard_of_metrics_has_queries() {
    for dashboard in dashboards() {
        assert!(dashboard.promql().len() >= 4, "{}: only {:?}", dashboard.uid(), dashboard.promql());
    }
}

#[test]
fn a_panel_is_red_where_its_alert_fires() {
    let alerts = Alerts::read(&project()).unwrap();
    let steps = |uid: &str, title: &str| {
        let dashboard = dashboard(uid);
        let panels = dashboard.panels();
        let panel = panels.iter().find(|panel| panel["title"] == title).unwrap();
        panel["fieldConfig"]["defaults"]["thresholds"]["steps"].clone()
    };
    let red_from =
        |value: f64| json!([{ "color": "green", "value": null }, { "color": "red", "value": value }]);
    assert_eq!(steps("glasshouse-overview", "Share that fails"), red_from(0.05));
    assert_eq!(steps("glasshouse-overview", "Response times"), red_from(1.0));
    // Later conditions of their rules.
    assert_eq!(steps("glasshouse-database", "Wait for a connection (p95)"), red_from(0.1));
    assert_eq!(steps("glasshouse-payments", "Circuit open"), red_from(1.0));
    assert_eq!(alerts.named("CacheHitRateLow").unwrap().conditions[0], Badness::Below(0.5));
    assert_eq!(alerts.named("NotReady").unwrap().conditions[0], Badness::Below(1.0));
}

#[test]
fn the_first_condition_of_every_alert_can_be_drawn() {
    for alert in Alerts::read(&project()).unwrap().iter() {
        assert!(!alert.conditions.is_empty(), "{}: its threshold cannot be read", alert.name);
    }
}

#[test]
fn every_alert_is_explained_among_the_objectives() {
    let slo = dashboard("glasshouse-slo");
    let panels = slo.panels();
    let text = |panel: &&&Value| panel["type"] == "text";
    let directory = panels.iter().find(text).unwrap()["options"]["content"].as_str().unwrap();
    for alert in Alerts::read(&project()).unwrap().iter() {
        assert!(directory.contains(&format!("| [{}]", alert.name)), "{} is not there", alert.name);
        assert!(directory.contains(&alert.runbook_url()), "{} has no runbook there", alert.name);
    }
}

#[test]
fn panels_of_response_times_lead_to_traces() {
    for uid in ["glasshouse-overview", "glasshouse-payments", "glasshouse-database"] {
        let dashboard = dashboard(uid);
        let has_exemplars = |panel: &&Value| {
            panel["targets"].as_array().unwrap().iter().any(|target| target["exemplar"] == true)
        };
        assert!(dashboard.panels().into_iter().any(|panel| has_exemplars(&panel)), "{uid} has no exemplars");
    }
}
