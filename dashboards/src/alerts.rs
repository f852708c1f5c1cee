//! Reads the alerts from `deploy/prometheus/rules` and the catalogue, and the expressions that they compare.

use std::path::Path;

use anyhow::{Context, Result};
use glasshouse_drill::catalogue::Catalogue;
use glasshouse_drill::project::{Project, kebab_case};
use glasshouse_drill::promql::{Condition, conditions, parse};
use glasshouse_drill::rules::{Rule, RuleFiles};
use glasshouse_drill::slo::{Slo, Slos};

use crate::inhibitions::Inhibitions;
use crate::model::{Alert, Threshold};
use crate::series::Series;

/// The path of the pages of `grafana/runbooks` in Grafana.
pub(crate) const RUNBOOKS: &str = "/public/runbooks/";

/// All alerts, in the order of the rules, and the series that they use.
#[derive(Clone, Debug)]
pub struct Alerts {
    alerts: Vec<Alert>,
    series: Series,
    inhibitions: Inhibitions,
    slos: Slos,
}

impl Alerts {
    /// Reads the rules, the objectives and the catalogue.
    ///
    /// # Errors
    /// A file cannot be read or parsed, or an alert is not in the catalogue.
    pub fn read(project: &Project) -> Result<Self> {
        let catalogue = project.catalogue();
        let rules = RuleFiles::read(&project.rules())?.rules()?;
        let mut alerts: Vec<Alert> = Vec::new();
        for rule in rules.iter().filter(|rule| rule.alert.is_some()) {
            let alert = alert(rule, catalogue, project)?;
            // An alert may have a second rule, at a lower severity.
            if !alerts.iter().any(|earlier| earlier.name == alert.name) {
                alerts.push(alert);
            }
        }
        Ok(Self {
            alerts,
            series: Series::read(project)?,
            inhibitions: Inhibitions::read(&project.alertmanager_config())?,
            slos: Slos::read(&project.slos()?)?,
        })
    }

    /// The inhibitions of Alertmanager.
    pub fn inhibitions(&self) -> &Inhibitions {
        &self.inhibitions
    }

    /// The series that rules and dashboards use.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The service level objective with this name.
    ///
    /// # Errors
    /// There is no such objective.
    pub fn objective(&self, name: &str) -> Result<&Slo> {
        let found = self.slos.iter().find(|slo| slo.name() == name);
        found.with_context(|| format!("deploy/slo has no objective {name}"))
    }

    /// The left side of the first condition of an alert, in terms of metrics, so that every variable filters it.
    ///
    /// # Errors
    /// The rules have no such alert.
    pub fn value(&self, name: &str) -> Result<String> {
        self.value_of(name, 0)
    }

    /// As [`value`](Self::value), of another condition, counted from 0.
    ///
    /// # Errors
    /// The rules have no such alert, or it has no such condition.
    pub fn value_of(&self, name: &str, condition: usize) -> Result<String> {
        let value = self.named(name)?.values.get(condition);
        let value = value.with_context(|| format!("{name} has no condition {condition}"))?;
        Ok(self.series.expand(value))
    }

    /// The alert with this name.
    ///
    /// # Errors
    /// The rules have no such alert.
    pub fn named(&self, name: &str) -> Result<&Alert> {
        self.alerts
            .iter()
            .find(|alert| alert.name == name)
            .with_context(|| format!("the rules have no alert {name}"))
    }

    /// All alerts, in the order of the rules.
    pub fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter()
    }
}

fn alert(rule: &Rule, catalogue: &Catalogue, project: &Project) -> Result<Alert> {
    let name = rule.alert.clone().unwrap_or_default();
    let label = |name: &str| rule.labels.get(name).cloned().unwrap_or_default();
    let annotation = |name: &str| rule.annotations.get(name).cloned().unwrap_or_default();
    let entry = catalogue.alerts.iter().find(|entry| entry.name == name);
    let conditions = conditions(&parse(&rule.expr)?);
    Ok(Alert {
        summary: annotation("summary"),
        severity: label("severity"),
        dashboard: rule.dashboard().map(|link| link.uid.to_owned()).unwrap_or_default(),
        runbook: kebab_case(&name),
        runbook_text: runbook_text(&project.runbook(&name)?)?,
        scenario: entry.with_context(|| format!("{name}: not in the catalogue"))?.scenario.clone(),
        values: conditions.iter().map(|condition| condition.value.to_string()).collect(),
        thresholds: conditions.iter().map(threshold).collect(),
        name,
    })
}

/// The text of a runbook without its heading. Links to other pages of the folder become links of Grafana.
fn runbook_text(path: &Path) -> Result<String> {
    let page = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let text = page.split_once('\n').map_or("", |(_heading, text)| text).trim();
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    Ok(parts.fold(first, |text, part| match part.strip_prefix("../") {
        Some(path) => format!("{text}] (docs/{path}"), // Grafana serves the runbooks alone
        None if part.starts_with("http") => format!("{text}]({part}"),
        None => format!("{text}]({RUNBOOKS}{}", part.replacen(".md", ".html", 1)),
    }))
}

/// The threshold of a condition. `== 0` applies to values that should be 1, and `== 1` to values that should be 0.
fn threshold(condition: &Condition) -> Threshold {
    match condition.above {
        Some(true) => Threshold::Above(condition.threshold),
        Some(false) => Threshold::Below(condition.threshold),
        None if condition.threshold > 0.0 => Threshold::Above(condition.threshold),
        None => Threshold::Below(1.0),
    }
}
