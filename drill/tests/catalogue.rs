//! Every alert has a scenario, promtool tests, a runbook and a dashboard. The check runs on this repository, and on sample
//! projects in which something is missing.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use glasshouse_drill::consistency::problems;
use glasshouse_drill::contract::TelemetryContract;
use glasshouse_drill::grafana::DashboardFile;
use glasshouse_drill::project::{Project, files};
use glasshouse_drill::rules::RuleFiles;
use tempfile::TempDir;

#[test]
fn this_repository_is_consistent() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    assert_eq!(problems(&Project::read(root).unwrap()).unwrap(), Vec::<String>::new());
}

/// As in `drill list | head`.
#[test]
fn a_closed_output_is_no_error() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_drill"));
    command.arg("list").current_dir(root).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), &b""[..]), "{ended:?}");
}

#[test]
fn evidence_in_logs_is_an_event_of_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let project = Project::read(root).unwrap();
    let contract = TelemetryContract::read(&project.telemetry_contract().unwrap()).unwrap();
    let catalogue = project.catalogue();
    let events: Vec<_> = catalogue.alerts.iter().filter_map(|alert| alert.evidence.log.as_deref()).collect();
    assert!(events.len() > 5, "too few events: {events:?}");
    for event in events {
        assert!(contract.has_event(event), "the service has no event {event}");
    }
}

/// The name is that of the results, which the next run of the same script is compared with.
#[test]
fn every_script_has_the_summary_of_its_own_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let scripts = files(&Project::read(root).unwrap().scenarios(), "js").unwrap();
    assert!(scripts.len() > 30, "not all scripts were found");
    for script in scripts {
        let text = std::fs::read_to_string(&script).unwrap();
        let name = script.file_stem().unwrap().to_string_lossy();
        let exported = text.split("export const { options, handleSummary } = ").nth(1).unwrap_or_default();
        let arguments = ["loadTest(", "everyday("].iter().find_map(|call| exported.strip_prefix(call));
        let is_named = arguments.is_some_and(|rest| rest.trim_start().starts_with(&format!("'{name}'")));
        assert!(is_named, "{}: begins with {exported:.60}", script.display());
    }
}

#[test]
fn a_crossed_threshold_leads_to_an_alert_a_panel_and_a_runbook() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let project = Project::read(root).unwrap();
    let alerts = RuleFiles::read(&project.rules()).unwrap().alerts().unwrap();
    let dashboards = DashboardFile::read_all(&project.dashboards().unwrap()).unwrap();
    let places = std::fs::read_to_string(project.scenarios().join("lib/where-to-look.json")).unwrap();
    let places: Vec<BTreeMap<String, String>> = serde_json::from_str(&places).unwrap();
    assert!(places.len() > 5, "not all places were found");
    for place in places {
        let (alert, panel) = (&place["alert"], &place["panel"]);
        assert!(alerts.contains(alert), "no alert {alert}");
        assert!(project.runbook(alert).unwrap().is_file(), "no runbook of {alert}");
        let dashboard = dashboards.iter().find(|one| one.uid() == place["dashboard"]).unwrap();
        assert!(dashboard.panels().iter().any(|one| one["title"] == **panel), "no panel {panel}");
    }
}

#[test]
fn a_complete_project_has_no_problems() {
    assert_eq!(SampleProject::complete().problems(), [""; 0]);
}

#[test]
fn missing_tests_and_runbooks_are_reported() {
    let sample = SampleProject::complete();
    sample.remove("docs/runbooks/disk-full.md");
    sample.write("deploy/prometheus/tests/a.yml", "tests: []");
    let runbook = sample.path("docs/runbooks/disk-full.md");
    let expected = [
        "DiskFull: no promtool test in which it fires".to_owned(),
        "DiskFull: no promtool test in which it does not fire".to_owned(),
        format!("DiskFull: no runbook {}", runbook.display()),
    ];
    assert_eq!(sample.problems(), expected);
}

#[test]
fn scenarios_and_the_catalogue_match() {
    let sample = SampleProject::complete();
    sample.write("load-tests/scenarios/forgotten.js", "");
    sample.remove("load-tests/scenarios/disk-full.js");
    let expected = ["forgotten: scenario is not in the catalogue", "disk-full: no script of this scenario"];
    assert_eq!(sample.problems(), expected);
}

#[test]
fn links_of_alerts_are_absolute_and_lead_somewhere() {
    let problems_with = |from: &str, to: &str| {
        let sample = SampleProject::complete();
        assert!(RULES.contains(from), "{from}");
        sample.write("deploy/prometheus/rules/a.yml", &RULES.replacen(from, to, 1));
        sample.problems()
    };
    let relative = "DiskFull: runbook_url does not begin with {{ $externalLabels.grafana_url }}/";
    assert_eq!(problems_with("{{ $externalLabels.grafana_url }}/public", "public"), [relative]);
    let local = "DiskFull: dashboard_url does not begin with {{ $externalLabels.grafana_url }}/";
    assert_eq!(problems_with("{{ $externalLabels.grafana_url }}/d", "http://localhost:3000/d"), [local]);
    let other = "DiskFull: runbook_url does not end with /disk-full.html or /disk-full.md";
    assert_eq!(problems_with("disk-full.html", "disk-empty.html"), [other]);
    assert_eq!(problems_with("var-disk", "var-disc"), ["DiskFull: disks has no variable disc"]);
}

#[test]
fn the_dashboard_of_an_alert_links_to_its_runbook() {
    let sample = SampleProject::complete();
    sample.write(
        "grafana/dashboards/disks.json",
        r#"{ "uid": "disks", "panels": [], "templating": { "list": [{ "name": "disk" }] } }"#,
    );
    assert_eq!(sample.problems(), ["DiskFull: no panel of disks links to its runbook"]);
    sample.write("grafana/dashboards/disks.json", r#"{ "uid": "other", "panels": [] }"#);
    assert_eq!(sample.problems(), ["DiskFull: no dashboard “disks”"]);
}

#[test]
fn the_catalogue_and_the_rules_have_the_same_alerts() {
    let sample = SampleProject::complete();
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
        "DiskFull: not in the catalogue",
        "DiskFul: in the catalogue, but not in the rules",
        "Noise: in the catalogue, but not in the rules",
        "Nonsense: in the catalogue, but not in the rules",
    ];
    assert_eq!(sample.problems(), expected);
}

const RULES: &str = "groups: [{ name: a, rules: [
    { alert: DiskFull, expr: disk_free < 1, annotations: {
        runbook_url: '{{ $externalLabels.grafana_url }}/public/runbooks/disk-full.html',
        dashboard_url: '{{ $externalLabels.grafana_url }}/d/disks?var-disk={{ $labels.disk }}&from=now-1h' } },
    { record: b, expr: c },
] }]";

const CONFIG: &str = r#"
    name = "sample"
    [paths]
    catalogue = "load-tests/catalogue.toml"
    scenarios = "load-tests/scenarios"
    rules = "deploy/prometheus/rules"
    rule_tests = "deploy/prometheus/tests"
    runbooks = "docs/runbooks"
    dashboards = "grafana/dashboards"
    [[process]]
    name = "api"
    ports = ["http"]
"#;

/// A project with one alert and one test.
struct SampleProject(TempDir);

impl SampleProject {
    fn complete() -> Self {
        let sample = Self(tempfile::tempdir().unwrap());
        sample.write("drill.toml", CONFIG);
        sample.write("deploy/prometheus/rules/a.yml", RULES);
        sample.write(
            "deploy/prometheus/tests/a.yml",
            "tests: [{ alert_rule_test: [
                { alertname: DiskFull, exp_alerts: [{ exp_labels: {} }] },
                { alertname: DiskFull, exp_alerts: [] },
            ] }]",
        );
        sample.write(
            "grafana/dashboards/disks.json",
            r#"{ "uid": "disks", "panels": [{ "type": "stat", "links": [{ "url": "/runbooks/disk-full.html" }] }],
                 "templating": { "list": [{ "name": "disk" }] } }"#,
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
        problems(&Project::read(self.0.path()).unwrap()).unwrap()
    }
}
