//! What whoever is on call gets with an alert: links that carry its labels, and one page for one cause.

use std::collections::BTreeMap;

use glasshouse_drill::project::{files, read_yaml};
use glasshouse_drill::rules::RuleFiles;
use serde_json::Value;

use crate::{dashboards, project, text};

/// The variable of a dashboard for each label of an alert.
const VARIABLES: [(&str, &str); 4] =
    [("job", "job"), ("instance", "instance"), ("endpoint", "endpoint"), ("tenant_id", "tenant")];

/// The alerts that fire in the promtool tests, each with its name.
fn fired() -> Vec<(String, Value)> {
    let mut fired = Vec::new();
    for file in files(&project().rule_tests().unwrap(), "yml").unwrap() {
        let file: Value = read_yaml(&file).unwrap();
        let list = |json: &Value, key: &str| json[key].as_array().cloned().unwrap_or_default();
        for test in list(&file, "tests").iter().flat_map(|test| list(test, "alert_rule_test")) {
            let alerts = list(&test, "exp_alerts").into_iter();
            fired.extend(alerts.map(|alert| (text(&test["alertname"]).to_owned(), alert)));
        }
    }
    fired
}

/// The jobs of other servers: the variables of the dashboards list the service's own.
fn foreign_jobs() -> Vec<String> {
    let config: Value = read_yaml(&project().prometheus_config()).unwrap();
    let jobs =
        config["scrape_configs"].as_array().unwrap().iter().map(|job| text(&job["job_name"]).to_owned());
    jobs.filter(|job| !job.starts_with("glasshouse-")).collect()
}

#[test]
fn the_link_to_a_dashboard_carries_the_labels_of_its_alert() {
    let variables: BTreeMap<_, _> =
        dashboards().iter().map(|one| (one.uid().to_owned(), one.json()["templating"].to_string())).collect();
    let (foreign, mut checked) = (foreign_jobs(), 0);
    for (name, alert) in fired() {
        let link = text(&alert["exp_annotations"]["dashboard_url"]);
        let uid = link.split("/d/").nth(1).unwrap().split('?').next().unwrap();
        let label = |label: &str| text(&alert["exp_labels"][label]).to_owned();
        if foreign.contains(&label("job")) {
            continue;
        }
        for (of_alert, variable) in VARIABLES {
            let value = label(of_alert);
            let is_offered = variables[uid].contains(&format!(r#""name":"{variable}""#));
            if is_offered && !value.is_empty() && value != "any instance" {
                assert!(
                    link.contains(&format!("var-{variable}={value}&")),
                    "{name}: no {variable} in {link}"
                );
                checked += 1;
            }
        }
        assert!(
            link.contains("&from=now-") || link.contains("?from=now-"),
            "{name}: no time range in {link}"
        );
    }
    assert!(checked > 50, "only {checked} labels were found");
}

#[test]
fn an_alert_that_pages_keeps_firing_for_a_while() {
    let rules = RuleFiles::read(&project().rules()).unwrap();
    let pages = |rule: &Value| rule["labels"]["severity"] == "critical";
    let flapping = rules.groups(|rule| pages(rule) && rule["keep_firing_for"].is_null()).unwrap();
    assert_eq!(flapping, [Value::Null; 0], "its value may go up and down, and each time pages");
    assert!(!rules.groups(pages).unwrap().is_empty());
}
