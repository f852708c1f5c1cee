//! Whether catalogue, rules, their tests, scenarios, runbooks and dashboards name the same alerts.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Deserialize;

use crate::catalogue::{Catalogue, Evidence};
use crate::dashboards::Dashboard;
use crate::project::{Project, files, kebab_case, read_yaml};
use crate::rules::{Rule, RuleFiles};
use crate::speed::Speed;

/// A file of promtool's tests: of its format, the part that matters here.
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

/// Everything that is missing on one side: one readable line each.
pub fn problems(project: &Project) -> Result<Vec<String>> {
    let catalogue = Catalogue::read(&project.catalogue())?;
    let rules: BTreeSet<String> = RuleFiles::read(&project.rules())?.alerts()?.into_iter().collect();
    let mut problems = of_alerts(project, &rules)?;
    problems.extend(of_entries(&catalogue, &rules));
    problems.extend(of_scenarios(project, &catalogue)?);
    problems.extend(of_dashboards(project)?);
    Ok(problems)
}

/// An alert leads to a dashboard, and a panel there shows it: it links to the alert's runbook.
fn of_dashboards(project: &Project) -> Result<Vec<String>> {
    let dashboards = Dashboard::read_all(&project.dashboards())?;
    let alerts = RuleFiles::read(&project.rules())?.rules()?;
    let problem = |alert: &Rule| {
        let name = alert.alert.as_ref()?;
        let url = alert.annotations.get("dashboard_url").map(String::as_str).unwrap_or_default();
        let uid = url.rsplit('/').next().unwrap_or_default();
        let Some(dashboard) = dashboards.iter().find(|dashboard| dashboard.uid() == uid) else {
            return Some(format!("{name}: there is no dashboard “{uid}”"));
        };
        let runbook = format!("/{}.md", kebab_case(name));
        let is_shown = dashboard.panels().iter().any(|panel| links(panel).any(|url| url.ends_with(&runbook)));
        (!is_shown).then(|| format!("{name}: no panel of {uid} shows it"))
    };
    Ok(alerts.iter().filter_map(problem).collect())
}

fn links(panel: &serde_json::Value) -> impl Iterator<Item = &str> {
    let links = panel["links"].as_array().into_iter().flatten();
    links.filter_map(|link| link["url"].as_str())
}

/// An alert of the rules needs its tests and its runbook.
fn of_alerts(project: &Project, rules: &BTreeSet<String>) -> Result<Vec<String>> {
    let (fires, stays_silent) = tested(project)?;
    let mut problems = Vec::new();
    for alert in rules {
        if !fires.contains(alert) {
            problems.push(format!("{alert}: no test of promtool sees it fire"));
        }
        if !stays_silent.contains(alert) {
            problems.push(format!("{alert}: no test of promtool sees it silent"));
        }
        let runbook = project.runbook(alert);
        if !runbook.is_file() {
            problems.push(format!("{alert}: there is no runbook {}", runbook.display()));
        }
    }
    Ok(problems)
}

/// The alerts that promtool's tests see firing, and those that they see silent.
fn tested(project: &Project) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut fires, mut stays_silent) = (BTreeSet::new(), BTreeSet::new());
    for file in files(&project.rule_tests(), "yml")? {
        let tests: RuleTests = read_yaml(&file)?;
        for test in tests.tests.into_iter().flat_map(|test| test.alert_rule_test) {
            let seen = if test.exp_alerts.is_empty() { &mut stays_silent } else { &mut fires };
            seen.insert(test.alertname);
        }
    }
    Ok((fires, stays_silent))
}

/// The catalogue has every alert once, and no other; what it says can be searched for.
fn of_entries(catalogue: &Catalogue, rules: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut listed = BTreeSet::new();
    for entry in &catalogue.alerts {
        if !listed.insert(entry.name.clone()) {
            problems.push(format!("{}: the catalogue has it twice", entry.name));
        }
        problems.extend(of_evidence(&entry.evidence).map(|problem| format!("{}: {problem}", entry.name)));
    }
    let missing = rules.difference(&listed);
    problems.extend(missing.map(|alert| format!("{alert}: the catalogue does not have it")));
    let named = catalogue.alerts.iter().flat_map(|entry| entry.also.iter().chain(&entry.held_back_by));
    let named = named.chain(catalogue.tests.iter().flat_map(|test| &test.may_fire)).chain(&listed);
    let unknown: BTreeSet<_> = named.filter(|name| !rules.contains(*name)).collect();
    problems
        .extend(unknown.into_iter().map(|name| format!("{name}: the catalogue names it, and no rule does")));
    problems
}

fn of_evidence(evidence: &Evidence) -> Option<String> {
    match evidence {
        Evidence { log: None, span: None, metric: None, .. } => Some("its evidence is empty".to_owned()),
        Evidence { metric: Some(metric), .. } => {
            Speed::NORMAL.divide_expression(metric).err().map(|error| format!("its evidence: {error:#}"))
        }
        _ => None,
    }
}

/// Every scenario is in the catalogue, and the other way round.
fn of_scenarios(project: &Project, catalogue: &Catalogue) -> Result<Vec<String>> {
    let listed: BTreeSet<String> =
        catalogue.exercises().iter().map(|exercise| exercise.name().to_owned()).collect();
    let scripts = files(&project.scenarios(), "js")?;
    let there: BTreeSet<String> =
        scripts.iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect();
    let unlisted =
        there.difference(&listed).map(|name| format!("{name}: the catalogue does not have this scenario"));
    let missing = listed.difference(&there).map(|name| format!("{name}: there is no such scenario"));
    Ok(unlisted.chain(missing).collect())
}
