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

    /// How a panel judges its values by one of its conditions.
    pub(super) fn judgement(&self, badness: Badness) -> Judgement {
        Judgement { badness, color: self.color() }
    }
}

/// From where on a panel's values are bad, and the colour that says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judgement {
    pub(super) badness: Badness,
    pub(super) color: &'static str,
}

impl Judgement {
    /// Grafana's steps for values: green, and the colour where they are bad.
    pub(super) fn of_values(self) -> Value {
        match self.badness {
            Badness::Above(value) => steps("green", value, self.color),
            Badness::Below(value) => steps(self.color, value, "green"),
        }
    }

    /// Grafana's steps for a line at the threshold. It takes the colour of the step that begins there, also if
    /// what is below it is bad.
    pub(super) fn of_line(self) -> Value {
        let (Badness::Above(value) | Badness::Below(value)) = self.badness;
        steps("green", value, self.color)
    }

    /// Where a scale ends at least, so that the threshold is seen, if what is above it is bad.
    pub(super) fn scale(self) -> Option<f64> {
        match self.badness {
            Badness::Above(value) => Some(value * 1.2),
            Badness::Below(_) => None,
        }
    }
}

fn steps(low: &str, value: f64, high: &str) -> Value {
    json!([{ "color": low, "value": null }, { "color": high, "value": value }])
}
