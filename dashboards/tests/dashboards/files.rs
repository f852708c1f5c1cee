//! What is committed is what the code writes.

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
fn grafana_saves_nothing_over_the_files() {
    for file in files(&root().join("grafana/provisioning/dashboards"), "yml").unwrap() {
        let provisioned: Value = read_yaml(&file).unwrap();
        for provider in provisioned["providers"].as_array().unwrap() {
            assert_eq!(provider["allowUiUpdates"], false, "what people change there would be lost");
        }
    }
}
