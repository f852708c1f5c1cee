//! Thresholds of panels, and Grafana's color steps for them.

use serde_json::{Value, json};

/// The limit between good and bad values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// Values above are bad.
    Above(f64),
    /// Values below are bad.
    Below(f64),
}

/// A threshold with the color of bad values.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColoredThreshold {
    pub(super) threshold: Threshold,
    pub(super) color: &'static str,
}

/// Colors for ranges of values.
#[derive(Clone, Debug)]
pub(super) struct States {
    lowest: &'static str,
    steps: Vec<(f64, &'static str)>,
}

impl States {
    /// Values below the first step have the color `lowest`; each step begins at its value.
    pub(super) fn new(lowest: &'static str, steps: &[(f64, &'static str)]) -> Self {
        Self { lowest, steps: steps.to_vec() }
    }

    /// Grafana's color steps.
    pub(super) fn to_json(&self) -> Value {
        let lowest = json!({ "color": self.lowest, "value": null });
        let steps = self.steps.iter().map(|(value, color)| json!({ "color": color, "value": value }));
        std::iter::once(lowest).chain(steps).collect()
    }
}

impl ColoredThreshold {
    /// Color steps for values: good values are green.
    pub(super) fn value_steps(self) -> Value {
        match self.threshold {
            Threshold::Above(value) => steps("green", value, self.color),
            Threshold::Below(value) => steps(self.color, value, "green"),
        }
    }

    /// Color steps for a threshold line. The line takes the color of the step that begins at it, even if the values below
    /// are bad.
    pub(super) fn line_steps(self) -> Value {
        let (Threshold::Above(value) | Threshold::Below(value)) = self.threshold;
        steps("green", value, self.color)
    }

    /// The smallest maximum of an axis that shows the line; `None` if every axis does, or values below are bad.
    pub(super) fn axis_max(self) -> Option<f64> {
        match self.threshold {
            Threshold::Above(value) if value > 0.0 => Some(value * 1.2),
            _ => None,
        }
    }
}

fn steps(low: &str, value: f64, high: &str) -> Value {
    json!([{ "color": low, "value": null }, { "color": high, "value": value }])
}
