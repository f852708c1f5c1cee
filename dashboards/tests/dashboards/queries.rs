//! Queries use exported metrics and labels, and panels turn red where their alerts fire.

use glasshouse_dashboards::alerts::Alerts;
use glasshouse_dashboards::model::Threshold;
use glasshouse_drill::contract::{self, ExportedMetrics, TelemetryContract};
use serde_json::{Value, json};

use crate::{dashboard, dashboards, data_sources, project, provisioned_query, text};

/// The metrics of the service's contract, which the drills compare with the running service, and those of the other parts
/// of the stack.
pub(crate) fn documented() -> ExportedMetrics {
    let mut exported = ExportedMetrics::default();
    exported.add_external();
    exported.add_contract(&TelemetryContract::read(&project().telemetry_contract().unwrap()).unwrap());
    exported
}

#[test]
fn dashboards_and_rules_use_exported_metrics_and_labels() {
    assert_eq!(contract::project_violations(&project(), &documented()).unwrap(), Vec::<String>::new());
}

#[test]
fn data_sources_use_exported_metrics_and_labels() {
    let sources = data_sources();
    let links = sources.iter().flat_map(|source| source["jsonData"]["tracesToMetrics"]["queries"].as_array());
    let query = |one: &Value| provisioned_query(text(&one["name"]), &one["query"]);
    let queries: Vec<_> = links.flatten().map(query).collect();
    assert!(!queries.is_empty(), "no queries were found");
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
    assert_eq!(steps("glasshouse-overview", "Error rate over time"), red_from(0.05));
    assert_eq!(steps("glasshouse-overview", "Latency percentiles"), red_from(1.0));
    // Thresholds of later conditions.
    assert_eq!(steps("glasshouse-database", "Connection acquire latency (p95)"), red_from(0.1));
    assert_eq!(alerts.named("CacheHitRateLow").unwrap().thresholds[0], Threshold::Below(0.5));
    assert_eq!(alerts.named("NotReady").unwrap().thresholds[0], Threshold::Below(1.0));
}

#[test]
fn every_alert_has_a_threshold() {
    for alert in Alerts::read(&project()).unwrap().iter() {
        assert!(!alert.thresholds.is_empty(), "{}: its threshold cannot be parsed", alert.name);
    }
}

#[test]
fn the_alert_directory_lists_every_alert() {
    let slo = dashboard("glasshouse-slo");
    let panels = slo.panels();
    let text = |panel: &&&Value| panel["title"] == "All alerts";
    let directory = panels.iter().find(text).unwrap()["options"]["content"].as_str().unwrap();
    for alert in Alerts::read(&project()).unwrap().iter() {
        assert!(directory.contains(&format!("| [{}]", alert.name)), "{} is missing", alert.name);
        assert!(directory.contains(&alert.runbook_url()), "{} has no runbook there", alert.name);
    }
}

#[test]
fn latency_panels_have_exemplars() {
    for uid in ["glasshouse-overview", "glasshouse-payments", "glasshouse-database"] {
        let dashboard = dashboard(uid);
        let has_exemplars = |panel: &&Value| {
            panel["targets"].as_array().unwrap().iter().any(|target| target["exemplar"] == true)
        };
        assert!(dashboard.panels().into_iter().any(|panel| has_exemplars(&panel)), "{uid} has no exemplars");
    }
}
