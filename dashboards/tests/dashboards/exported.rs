//! The export can be used without this repository.

use glasshouse_dashboards::export::export;
use glasshouse_drill::project::files;
use glasshouse_drill::rules::RuleFiles;
use serde_json::Value;

use crate::{dashboards, project};

#[test]
fn dashboards_and_rules_are_exported_completely() {
    let folder = std::env::temp_dir().join(format!("glasshouse-mixin-{}", std::process::id()));
    export(&project(), &folder, Some("https://example.org/runbooks/")).unwrap();
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let mixin = std::fs::read_to_string(folder.join("mixin.libsonnet")).unwrap();
    let paths = files(&folder.join("dashboards"), "json").unwrap();
    assert_eq!(paths.len(), dashboards().len());
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(mixin.contains(&format!("import 'dashboards/{name}'")), "{name}");
        let dashboard = read(&format!("dashboards/{name}"));
        assert!(dashboard["id"].is_null(), "{name}");
        let requires = dashboard["__requires"].as_array().unwrap();
        assert!(requires.iter().any(|one| one["id"] == "prometheus"), "{name}: {requires:?}");
        let text = dashboard.to_string();
        assert!(!text.contains("/public/runbooks/"), "{name} links to the Grafana of the stack");
    }
    let count = |name: &str| -> usize {
        let file = read(name);
        file["groups"].as_array().unwrap().iter().map(|group| group["rules"].as_array().unwrap().len()).sum()
    };
    let rules = RuleFiles::read(&project().rules()).unwrap().rules().unwrap();
    let alerts = rules.iter().filter(|rule| rule.alert.is_some()).count();
    assert_eq!((count("alerts.json"), count("rules.json")), (alerts, rules.len() - alerts));
    std::fs::remove_dir_all(folder).unwrap();
}
