//! The alerts, as `deploy/prometheus/rules` and the catalogue have them.

use anyhow::{Context, Result};
use glasshouse_drill::catalogue::Catalogue;
use glasshouse_drill::project::{Project, kebab_case};
use glasshouse_drill::promql::{Condition, conditions, parse};
use glasshouse_drill::rules::{Rule, RuleFiles};

use crate::model::{Alert, Badness};

/// All alerts, in the order of the rules.
#[derive(Clone, Debug)]
pub struct Alerts(Vec<Alert>);

impl Alerts {
    /// Reads them.
    pub fn read(project: &Project) -> Result<Self> {
        let catalogue = Catalogue::read(&project.catalogue())?;
        let rules = RuleFiles::read(&project.rules())?.rules()?;
        let alerts = rules.iter().filter(|rule| rule.alert.is_some());
        Ok(Self(alerts.map(|rule| alert(rule, &catalogue)).collect::<Result<_>>()?))
    }

    /// The alert of this name.
    pub fn named(&self, name: &str) -> Result<&Alert> {
        self.0
            .iter()
            .find(|alert| alert.name == name)
            .with_context(|| format!("no rule has the alert {name}"))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.0.iter()
    }
}

fn alert(rule: &Rule, catalogue: &Catalogue) -> Result<Alert> {
    let name = rule.alert.clone().unwrap_or_default();
    let label = |name: &str| rule.labels.get(name).cloned().unwrap_or_default();
    let annotation = |name: &str| rule.annotations.get(name).cloned().unwrap_or_default();
    let entry = catalogue.alerts.iter().find(|entry| entry.name == name);
    Ok(Alert {
        summary: annotation("summary"),
        severity: label("severity"),
        dashboard: annotation("dashboard_url").rsplit('/').next().unwrap_or_default().to_owned(),
        runbook: kebab_case(&name),
        scenario: entry.with_context(|| format!("{name}: not in the catalogue"))?.scenario.clone(),
        conditions: conditions(&parse(&rule.expr)?).iter().map(badness).collect(),
        name,
    })
}

/// `== 0` is what is said of things that should be 1, and `== 1` of those that should be 0.
fn badness(condition: &Condition) -> Badness {
    match condition.above {
        Some(true) => Badness::Above(condition.threshold),
        Some(false) => Badness::Below(condition.threshold),
        None if condition.threshold > 0.0 => Badness::Above(condition.threshold),
        None => Badness::Below(1.0),
    }
}
