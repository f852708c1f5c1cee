//! Every alert has its scenario, its tests, its runbook and its dashboard: in the project, and, so that the check can fail,
//! in projects that lack one of them each.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use glasshouse_drill::consistency::problems;
use glasshouse_drill::project::Project;
use tempfile::TempDir;

#[test]
fn the_project_has_everything_for_every_alert() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    assert_eq!(problems(&Project::new(root)).unwrap(), Vec::<String>::new());
}

#[test]
fn a_complete_project_has_no_problem() {
    assert_eq!(Sample::complete().problems(), [""; 0]);
}

#[test]
fn what_an_alert_lacks_is_named() {
    let sample = Sample::complete();
    sample.remove("docs/runbooks/disk-full.md");
    sample.write("deploy/prometheus/tests/a.yml", "tests: []");
    let runbook = sample.path("docs/runbooks/disk-full.md");
    let expected = [
        "DiskFull: no test of promtool sees it fire".to_owned(),
        "DiskFull: no test of promtool sees it silent".to_owned(),
        format!("DiskFull: there is no runbook {}", runbook.display()),
    ];
    assert_eq!(sample.problems(), expected);
}

#[test]
fn a_scenario_must_be_in_the_catalogue_and_the_other_way_round() {
    let sample = Sample::complete();
    sample.write("load-tests/scenarios/forgotten.js", "");
    sample.remove("load-tests/scenarios/disk-full.js");
    let expected =
        ["forgotten: the catalogue does not have this scenario", "disk-full: there is no such scenario"];
    assert_eq!(sample.problems(), expected);
}

#[test]
fn an_alert_must_lead_to_a_dashboard_that_shows_it() {
    let sample = Sample::complete();
    sample.write("grafana/dashboards/disks.json", r#"{ "uid": "disks", "panels": [] }"#);
    assert_eq!(sample.problems(), ["DiskFull: no panel of disks shows it"]);
    sample.write("grafana/dashboards/disks.json", r#"{ "uid": "other", "panels": [] }"#);
    assert_eq!(sample.problems(), ["DiskFull: there is no dashboard “disks”"]);
}

#[test]
fn the_catalogue_names_the_alerts_of_the_rules_and_no_others() {
    let sample = Sample::complete();
    sample.write(
        "load-tests/catalogue.toml",
        r#"
        [[alert]]
        name = "DiskFul"
        scenario = "disk-full"
        also = ["Nonsense"]
        evidence = {}
        [[test]]
        name = "smoke"
        may_fire = ["Noise"]
        drilled = true
        "#,
    );
    let expected = [
        "DiskFul: its evidence is empty",
        "DiskFull: the catalogue does not have it",
        "DiskFul: the catalogue names it, and no rule does",
        "Noise: the catalogue names it, and no rule does",
        "Nonsense: the catalogue names it, and no rule does",
    ];
    assert_eq!(sample.problems(), expected);
}

/// A project with one alert and one test.
struct Sample(TempDir);

impl Sample {
    fn complete() -> Self {
        let sample = Self(tempfile::tempdir().unwrap());
        sample.write(
            "deploy/prometheus/rules/a.yml",
            "groups: [{ name: a, rules: [
                { alert: DiskFull, expr: disk_free < 1, annotations: { dashboard_url: 'http://g/d/disks' } },
                { record: b, expr: c },
            ] }]",
        );
        sample.write(
            "deploy/prometheus/tests/a.yml",
            "tests: [{ alert_rule_test: [
                { alertname: DiskFull, exp_alerts: [{ exp_labels: {} }] },
                { alertname: DiskFull, exp_alerts: [] },
            ] }]",
        );
        sample.write(
            "grafana/dashboards/disks.json",
            r#"{ "uid": "disks", "panels": [{ "type": "stat", "links": [{ "url": "/runbooks/disk-full.md" }] }] }"#,
        );
        sample.write("docs/runbooks/disk-full.md", "");
        sample.write("load-tests/scenarios/disk-full.js", "");
        sample.write("load-tests/scenarios/smoke.js", "");
        sample.write(
            "load-tests/catalogue.toml",
            r#"
            [[alert]]
            name = "DiskFull"
            scenario = "disk-full"
            evidence = { metric = "rate(a[5m]) > 1" }
            [[test]]
            name = "smoke"
            may_fire = ["DiskFull"]
            drilled = true
            "#,
        );
        sample
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.path(file)).unwrap();
    }

    fn problems(&self) -> Vec<String> {
        problems(&Project::new(self.0.path())).unwrap()
    }
}
