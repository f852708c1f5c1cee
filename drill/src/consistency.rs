//! Checks that the catalogue, rules, promtool tests, scenarios, runbooks and dashboards name the same alerts.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::catalogue::{Catalogue, Component, Evidence, WATCHDOG};
use crate::grafana::DashboardFile;
use crate::project::{Project, files, kebab_case, read_yaml, scripts};
use crate::rules::{Rule, RuleFiles};
use crate::speed::Speed;

/// A file of promtool tests. Only the fields that are needed here.
#[derive(Deserialize)]
struct RuleTests {
    #[serde(default)]
    tests: Vec<RuleTest>,
}

#[derive(Deserialize)]
struct RuleTest {
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
}

#[derive(Deserialize)]
struct AlertTest {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<yaml_serde::Value>,
}

/// All inconsistencies: one message each.
///
/// # Errors
/// A file cannot be read or parsed.
pub fn problems(project: &Project) -> Result<Vec<String>> {
    let mut problems = alert_problems(project, &alerts(project)?)?;
    problems.extend(catalogue_problems(project)?);
    problems.extend(link_problems(project)?);
    Ok(problems)
}

fn alerts(project: &Project) -> Result<BTreeSet<String>> {
    let rules = RuleFiles::read(&project.rules()).context("paths.rules")?;
    Ok(rules.alerts()?.into_iter().collect())
}

/// What the links of alerts begin with: the external label that is the one setting of a deployment.
const GRAFANA: &str = "{{ $externalLabels.grafana_url }}/";

/// The links of each alert lead to its runbook. If the project has dashboards, they are absolute, and lead to one that has the
/// variables which they set, and a panel that links to the runbook.
fn link_problems(project: &Project) -> Result<Vec<String>> {
    let dashboards = project.dashboards().ok().map(|folder| DashboardFile::read_all(&folder)).transpose()?;
    let mut problems = Vec::new();
    for rule in RuleFiles::read(&project.rules())?.rules()? {
        let Some(name) = &rule.alert else { continue };
        let page = format!("/{}", kebab_case(name));
        let mut found = Vec::new();
        if let Some(dashboards) = &dashboards {
            found.extend(dashboard_problems(&rule, &page, dashboards));
        }
        if project.runbooks().is_ok() && !leads_to(runbook_url(&rule), &page) {
            found.push(format!("runbook_url does not end with {page}.html or {page}.md"));
        }
        problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    problems.dedup();
    Ok(problems)
}

/// Whether a link leads to a page, as Markdown or as HTML.
fn leads_to(url: &str, page: &str) -> bool {
    [".html", ".md"].iter().any(|ending| url.strip_suffix(ending).is_some_and(|url| url.ends_with(page)))
}

fn runbook_url(rule: &Rule) -> &str {
    rule.annotations.get("runbook_url").map(String::as_str).unwrap_or_default()
}

fn dashboard_problems(rule: &Rule, page: &str, dashboards: &[DashboardFile]) -> Vec<String> {
    let mut problems = Vec::new();
    for link in ["runbook_url", "dashboard_url"] {
        let url = rule.annotations.get(link).map(String::as_str).unwrap_or_default();
        if !url.starts_with(GRAFANA) {
            problems.push(format!("{link} does not begin with {GRAFANA}"));
        }
    }
    let Some(link) = rule.dashboard() else { return problems };
    let Some(dashboard) = dashboards.iter().find(|dashboard| dashboard.uid() == link.uid) else {
        problems.push(format!("no dashboard “{}”", link.uid));
        return problems;
    };
    let defined = dashboard.json()["templating"]["list"].as_array().into_iter().flatten();
    let defined: Vec<_> = defined.filter_map(|variable| variable["name"].as_str()).collect();
    let undefined = link.variables.iter().filter(|name| !defined.contains(name));
    problems.extend(undefined.map(|name| format!("{} has no variable {name}", link.uid)));
    if !dashboard.panels().iter().any(|panel| links(panel).any(|url| leads_to(url, page))) {
        problems.push(format!("no panel of {} links to its runbook", link.uid));
    }
    problems
}

fn links(panel: &serde_json::Value) -> impl Iterator<Item = &str> {
    let links = panel["links"].as_array().into_iter().flatten();
    links.filter_map(|link| link["url"].as_str())
}

/// Each alert has promtool tests and a runbook, where the project has any.
fn alert_problems(project: &Project, rules: &BTreeSet<String>) -> Result<Vec<String>> {
    let tested = project.rule_tests().ok().map(|folder| tested_alerts(&folder)).transpose()?;
    let mut problems = Vec::new();
    for alert in rules {
        if let Some((fires, stays_inactive)) = &tested {
            if !fires.contains(alert) {
                problems.push(format!("{alert}: no promtool test in which it fires"));
            }
            if alert != WATCHDOG && !stays_inactive.contains(alert) {
                problems.push(format!("{alert}: no promtool test in which it does not fire"));
            }
        }
        let runbook = project.runbook(alert).ok().filter(|runbook| !runbook.is_file());
        problems.extend(runbook.map(|runbook| format!("{alert}: no runbook {}", runbook.display())));
    }
    Ok(problems)
}

/// The alerts that fire in some promtool test, and those that do not fire in some test.
fn tested_alerts(folder: &Path) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut fires, mut stays_inactive) = (BTreeSet::new(), BTreeSet::new());
    for file in files(folder, "yml")? {
        let tests: RuleTests = read_yaml(&file)?;
        for test in tests.tests.into_iter().flat_map(|test| test.alert_rule_test) {
            let expected = if test.exp_alerts.is_empty() { &mut stays_inactive } else { &mut fires };
            expected.insert(test.alertname);
        }
    }
    Ok((fires, stays_inactive))
}

/// What keeps the catalogue from being drilled: one message each. The files that it needs exist. It lists each alert of the rules once, and no others; the
/// evidence of each entry is valid; components, processes and scripts that it names exist.
///
/// # Errors
/// A file cannot be read or parsed.
pub fn catalogue_problems(project: &Project) -> Result<Vec<String>> {
    let (catalogue, rules) = (project.catalogue(), alerts(project)?);
    let mut problems = file_problems(project);
    problems.extend(entry_problems(catalogue, &rules));
    problems.extend(process_problems(project, catalogue));
    problems.extend(scenario_problems(project, catalogue)?);
    Ok(problems)
}

/// The files and folders that `drill.toml` names exist, and the configurations that a stack needs.
fn file_problems(project: &Project) -> Vec<String> {
    let paths = &project.config().paths;
    let starts_stack =
        project.compose().is_ok() || project.processes().iter().any(|one| !one.command.is_empty());
    let configurations = [("prometheus", &paths.prometheus), ("alertmanager", &paths.alertmanager)];
    let needed = configurations.into_iter().filter(|_| starts_stack);
    let optional = [
        ("blackbox", &paths.blackbox),
        ("dashboards", &paths.dashboards),
        ("data_sources", &paths.data_sources),
        ("rule_tests", &paths.rule_tests),
        ("runbooks", &paths.runbooks),
        ("slos", &paths.slos),
        ("telemetry_contract", &paths.telemetry_contract),
    ];
    let named = optional.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?)));
    let missing = needed.chain(named).filter(|(_, path)| !project.path(path).exists());
    missing
        .map(|(key, path)| format!("paths.{key}: {} does not exist", project.path(path).display()))
        .collect()
}

/// The processes that the catalogue names exist.
fn process_problems(project: &Project, catalogue: &Catalogue) -> Vec<String> {
    let named = catalogue.alerts.iter().flat_map(|entry| {
        let stopped = match &entry.stop {
            Some(Component::Process(name)) => Some(name),
            _ => None,
        };
        let problem = move |name: &String| {
            let unknown = project.process(Some(name)).is_err();
            unknown.then(|| format!("{}: neither a process nor a component is called {name}", entry.name))
        };
        entry.evidence.of.iter().chain(stopped).filter_map(problem)
    });
    let by_tests = catalogue.tests.iter().flat_map(|test| {
        let unknown = |name: &&String| project.process(Some(name)).is_err();
        let named = test.evidence.of.iter().chain(&test.scale).filter(unknown);
        named.map(|name| format!("{}: no process is called {name}", test.name))
    });
    named.chain(by_tests).collect()
}

fn entry_problems(catalogue: &Catalogue, rules: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut listed = BTreeSet::new();
    for entry in &catalogue.alerts {
        if !listed.insert(entry.name.clone()) {
            problems.push(format!("{}: listed twice in the catalogue", entry.name));
        }
        problems
            .extend(evidence_problem(&entry.evidence).map(|problem| format!("{}: {problem}", entry.name)));
    }
    for test in &catalogue.tests {
        problems.extend(metric_problem(&test.evidence).map(|problem| format!("{}: {problem}", test.name)));
    }
    let missing = rules.difference(&listed);
    problems.extend(missing.map(|alert| format!("{alert}: not in the catalogue")));
    let named = catalogue.alerts.iter().flat_map(|entry| entry.also.iter().chain(&entry.inhibited_by));
    let named = named.chain(catalogue.tests.iter().flat_map(|test| &test.may_fire)).chain(&listed);
    let unknown: BTreeSet<_> = named.filter(|name| !rules.contains(*name)).collect();
    problems
        .extend(unknown.into_iter().map(|name| format!("{name}: in the catalogue, but not in the rules")));
    problems
}

fn evidence_problem(evidence: &Evidence) -> Option<String> {
    match evidence {
        Evidence { log: None, span: None, metric: None, .. } => Some("its evidence is empty".to_owned()),
        _ => metric_problem(evidence),
    }
}

fn metric_problem(evidence: &Evidence) -> Option<String> {
    let error = Speed::NORMAL.divide_expression(evidence.metric.as_ref()?).err()?;
    Some(format!("its evidence: {error:#}"))
}

/// Each scenario is in the catalogue, and each scenario of the catalogue has a script.
fn scenario_problems(project: &Project, catalogue: &Catalogue) -> Result<Vec<String>> {
    let listed: BTreeSet<String> =
        catalogue.exercises().iter().map(|exercise| exercise.name().to_owned()).collect();
    let scripts = scripts(&project.scenarios()).context("paths.scenarios")?;
    let scripts: BTreeSet<String> =
        scripts.iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect();
    let unlisted =
        scripts.difference(&listed).map(|name| format!("{name}: scenario is not in the catalogue"));
    let missing = listed.difference(&scripts).map(|name| format!("{name}: no script of this scenario"));
    Ok(unlisted.chain(missing).collect())
}
