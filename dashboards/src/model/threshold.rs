use serde_json::{Value, json};

/// An alert, as a panel shows it.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// What it is about, in a sentence.
    pub summary: String,
    /// `critical` or `warning`.
    pub severity: String,
    /// The uid of the dashboard that it leads to.
    pub dashboard: String,
    /// Its runbook: the name of a file in `docs/runbooks`, without `.md`.
    pub runbook: String,
    /// The scenario that causes it.
    pub scenario: String,
    /// When it is bad, for each of its conditions in the order of the rule.
    pub conditions: Vec<Badness>,
}

/// From where on a value is bad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Badness {
    /// Bad above this.
    Above(f64),
    /// Bad below this.
    Below(f64),
}

impl Alert {
    /// The colour of what is bad.
    fn color(&self) -> &'static str {
        if self.severity == "critical" { "red" } else { "orange" }
    }

    /// Where Grafana serves the runbook.
    pub fn runbook_url(&self) -> String {
        format!("/public/runbooks/{}.md", self.runbook)
    }

    /// What a panel's description says of it.
    pub(super) fn advice(&self) -> String {
        format!(
            "**{}** ({}): do what docs/runbooks/{}.md says. `make drill NAME={}` rehearses it.",
            self.name, self.severity, self.runbook, self.scenario
        )
    }

    /// Grafana's steps for one of its conditions.
    pub(super) fn steps(&self, badness: Badness) -> Value {
        badness.steps(self.color())
    }
}

impl Badness {
    /// Grafana's steps: green, and this colour where it is bad.
    pub(super) fn steps(self, bad: &str) -> Value {
        let (low, value, high) = match self {
            Self::Above(value) => ("green", value, bad),
            Self::Below(value) => (bad, value, "green"),
        };
        json!([{ "color": low, "value": null }, { "color": high, "value": value }])
    }
}
