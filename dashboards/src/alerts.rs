//! Reads the alerts from `deploy/prometheus/rules` and the catalogue.

use anyhow::{Context, Result};
use glasshouse_drill::catalogue::Catalogue;
use glasshouse_drill::project::{Project, kebab_case};
use glasshouse_drill::promql::{Condition, conditions, parse};
use glasshouse_drill::rules::{Rule, RuleFiles};

use crate::model::{Alert, Threshold};

/// All alerts, in the order of the rules.
#[derive(Clone, Debug)]
pub struct Alerts(Vec<Alert>);

impl Alerts {
    /// Reads the rules and the catalogue.
    ///
    /// # Errors
    /// A file cannot be read or parsed, or an alert is not in the catalogue.
    pub fn read(project: &Project) -> Result<Self> {
        let catalogue = Catalogue::read(&project.catalogue())?;
        let rules = RuleFiles::read(&project.rules())?.rules()?;
        let alerts = rules.iter().filter(|rule| rule.alert.is_some());
        Ok(Self(alerts.map(|rule| alert(rule, &catalogue)).collect::<Result<_>>()?))
    }

    /// The alert with this name.
    ///
    /// # Errors
    /// The rules have no such alert.
    pub fn named(&self, name: &str) -> Result<&Alert> {
        self.0
            .iter()
            .find(|alert| alert.name == name)
            .with_context(|| format!("the rules have no alert {name}"))
    }

    /// All alerts, in the order of the rules.
    pub fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.0.iter()
    }
}

fn alert(rule: &Rule, catalogue: &Catalogue) -> Result<Alert> {
    let name = rule.alert.clone().unwrap_or_default();
    let label = |name: &str| rule.labels.get(name).cloned().unwrap_or_default();
    let annotation = |name: &str| rule.annotations.get(name).cloned().unwrap_or_default();
    let entry = catalogue.alerts.iter().find(|entry| entry.name == name);
    let conditions = conditions(&parse(&rule.expr)?);
    Ok(Alert {
        summary: annotation("summary"),
        severity: label("severity"),
        dashboard: annotation("dashboard_url").rsplit('/').next().unwrap_or_default().to_owned(),
        runbook: kebab_case(&name),
        scenario: entry.with_context(|| format!("{name}: not in the catalogue"))?.scenario.clone(),
        value: conditions.first().map_or_else(|| rule.expr.clone(), |first| first.value.to_string()),
        thresholds: conditions.iter().map(threshold).collect(),
        name,
    })
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
