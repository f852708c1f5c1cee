//! What is committed is what the code writes, and Grafana can show all of it.

use std::collections::BTreeSet;

use glasshouse_load_tests::dashboards::Dashboard;
use glasshouse_load_tests::project::files;
use serde_json::Value;

use crate::{dashboards, project, root};

/// All panels, each with where it is.
fn panels(dashboards: &[Dashboard]) -> Vec<(String, &Value)> {
    let place = |dashboard: &Dashboard, panel: &Value| format!("{}: {}", dashboard.uid(), panel["title"]);
    dashboards
        .iter()
        .flat_map(|dashboard| dashboard.panels().into_iter().map(|panel| (place(dashboard, panel), panel)))
        .collect()
}

#[test]
fn the_committed_files_are_current() {
    let written = glasshouse_dashboards::files(root()).unwrap();
    for (path, text) in &written {
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == *text, "{} is not current: run `make dashboards`", path.display());
    }
    let expected: Vec<_> =
        written.into_iter().map(|(path, _)| path).collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(files(&project().dashboards(), "json").unwrap(), expected, "a file too many");
}

#[test]
fn there_are_nine_dashboards_with_the_uids_that_links_use() {
    let dashboards = dashboards();
    let uids: Vec<_> =
        dashboards.iter().map(|dashboard| dashboard.uid().strip_prefix("glasshouse-").unwrap()).collect();
    let expected = [
        "business",
        "database",
        "investigate",
        "load-test",
        "overview",
        "payments",
        "resources",
        "slo",
        "tenants",
    ];
    assert_eq!(uids, expected);
}

#[test]
fn links_lead_to_dashboards_and_runbooks_that_exist() {
    let dashboards = dashboards();
    let uids: BTreeSet<_> = dashboards.iter().map(Dashboard::uid).collect();
    for (place, panel) in panels(&dashboards) {
        for link in panel["links"].as_array().unwrap() {
            let url = link["url"].as_str().unwrap();
            let uid = url.strip_prefix("/d/").map(|rest| rest.split('?').next().unwrap());
            let runbook = url.strip_prefix("/public/runbooks/");
            assert!(uid.is_some() || runbook.is_some(), "{place}: {url}");
            assert!(uid.is_none_or(|uid| uids.contains(uid)), "{place}: {url}");
            assert!(
                runbook.is_none_or(|name| root().join("docs/runbooks").join(name).is_file()),
                "{place}: {url}"
            );
        }
    }
}

#[test]
fn every_panel_says_what_it_is_and_what_to_do() {
    let dashboards = dashboards();
    let mut seen = BTreeSet::new();
    for (place, panel) in panels(&dashboards) {
        assert!(seen.insert(place.clone()), "{place}: twice");
        assert!(!panel["title"].as_str().unwrap().is_empty(), "{place}: no title");
        assert!(panel["description"].as_str().unwrap().len() > 40, "{place}: says too little");
        assert!(!panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap().is_empty(), "{place}: no unit");
        let is_text = panel["type"] == "text";
        assert!(is_text || !panel["targets"].as_array().unwrap().is_empty(), "{place}: no query");
    }
}

#[test]
fn no_panel_covers_another_or_leaves_the_page() {
    for dashboard in dashboards() {
        let mut taken = BTreeSet::new();
        for panel in dashboard.json()["panels"].as_array().unwrap() {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{}: {} leaves the page", dashboard.uid(), panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{}: {} covers another", dashboard.uid(), panel["title"]);
                }
            }
        }
    }
}

#[test]
fn the_data_sources_that_are_used_are_provisioned() {
    let file = root().join("grafana/provisioning/datasources/glasshouse.yml");
    let provisioned: Value = yaml_serde::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut defined = BTreeSet::new();
    for source in provisioned["datasources"].as_array().unwrap() {
        let pair = (source["type"].as_str().unwrap().to_owned(), source["uid"].as_str().unwrap().to_owned());
        assert!(defined.insert(pair), "{source}: twice");
    }
    let used = references(&provisioned).chain(
        dashboards().iter().flat_map(|one| references(one.json()).collect::<Vec<_>>()).collect::<Vec<_>>(),
    );
    for (kind, uid) in used {
        let is_defined =
            defined.iter().any(|one| one.1 == uid && kind.as_ref().is_none_or(|kind| one.0 == *kind));
        assert!(is_defined, "nobody defines the data source {uid} of type {kind:?}");
    }
}

/// The data sources that are named anywhere: type, if it is named too, and uid.
fn references(json: &Value) -> Box<dyn Iterator<Item = (Option<String>, String)> + '_> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match json {
        Value::Object(object) => {
            let source = object
                .get("datasource")
                .and_then(|source| Some((text(&source["type"]), text(&source["uid"])?)));
            let linked = object.get("datasourceUid").and_then(|uid| Some((None, text(uid)?)));
            Box::new(source.into_iter().chain(linked).chain(object.values().flat_map(references)))
        }
        Value::Array(array) => Box::new(array.iter().flat_map(references)),
        _ => Box::new(std::iter::empty()),
    }
}

#[test]
fn grafana_looks_for_dashboards_where_they_are_mounted() {
    let file = root().join("grafana/provisioning/dashboards/glasshouse.yml");
    let provisioned: Value = yaml_serde::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let provider = &provisioned["providers"][0];
    assert_eq!(provider["options"]["path"], "/var/lib/grafana/dashboards");
    assert_eq!(provider["allowUiUpdates"], false, "what people change there would be lost");
}
