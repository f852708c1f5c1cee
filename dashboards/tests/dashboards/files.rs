//! The committed files are current.

use std::collections::BTreeSet;

use glasshouse_drill::project::{files, read_yaml};
use serde_json::Value;

use crate::{dashboards, project, root};

#[test]
fn the_committed_files_are_current() {
    let written = glasshouse_dashboards::files(root()).unwrap();
    for (path, text) in &written {
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == *text, "{} is not current: run `make dashboards`", path.display());
    }
    for (folder, extension) in
        [(project().dashboards().unwrap(), "json"), (root().join("grafana/runbooks"), "html")]
    {
        let paths = written.iter().map(|(path, _)| path.clone());
        let expected: BTreeSet<_> =
            paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
        let found = files(&folder, extension).unwrap();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "an extra or missing file");
    }
}

#[test]
fn there_are_ten_dashboards_with_the_uids_that_links_use() {
    let dashboards = dashboards();
    let uids: Vec<_> =
        dashboards.iter().map(|dashboard| dashboard.uid().strip_prefix("glasshouse-").unwrap()).collect();
    let expected = [
        "business",
        "containers",
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
fn dashboards_cannot_be_saved_in_grafana() {
    for file in files(&root().join("grafana/provisioning/dashboards"), "yml").unwrap() {
        let provisioned: Value = read_yaml(&file).unwrap();
        for provider in provisioned["providers"].as_array().unwrap() {
            assert_eq!(provider["allowUiUpdates"], false, "changes in Grafana would be lost");
        }
    }
}
