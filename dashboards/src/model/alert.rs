//! An alert with everything that dashboards show of it.

use super::threshold::{ColoredThreshold, Threshold};
use crate::alerts::RUNBOOKS;

/// An alert of the rules, with its entry in the catalogue.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The name of the alert.
    pub name: String,
    /// The annotation `summary`.
    pub summary: String,
    /// `critical` or `warning`.
    pub severity: String,
    /// The uid of its dashboard.
    pub dashboard: String,
    /// Its runbook: the name of a file in `docs/runbooks`, without `.md`.
    pub runbook: String,
    /// The text of the runbook without its heading, in Markdown, with links for Grafana.
    pub runbook_text: String,
    /// The scenario that causes the alert.
    pub scenario: String,
    /// The left sides of its conditions, in PromQL.
    pub values: Vec<String>,
    /// The thresholds of its conditions, in the order of the rule.
    pub thresholds: Vec<Threshold>,
}

impl Alert {
    /// The path of the runbook in Grafana.
    pub fn runbook_url(&self) -> String {
        format!("{RUNBOOKS}{}.html", self.runbook)
    }

    /// The paragraph about the alert in the description of a panel, in Markdown.
    pub(super) fn advice(&self) -> String {
        format!(
            "**{}** ({}): follow docs/runbooks/{}.md. `make drill NAME={}` causes the alert.",
            self.name, self.severity, self.runbook, self.scenario
        )
    }

    /// A threshold of the alert in the color of its severity.
    pub(super) fn colored(&self, threshold: Threshold) -> ColoredThreshold {
        let color = if self.severity == "critical" { "red" } else { "orange" };
        ColoredThreshold { threshold, color }
    }
}
