//! The report as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::{AlertOutcome, Outcome, Report};

impl Report {
    /// The report as JSON. Times are in seconds; a step that was not reached is `null`.
    pub fn to_json(&self) -> String {
        let exercises: Vec<_> = self.outcomes.iter().map(exercise).collect();
        let report = json!({
            "speed": self.speed.factor(),
            "success": self.is_success(),
            "exercises": exercises,
        });
        format!("{report:#}\n")
    }
}

fn exercise(outcome: &Outcome) -> Value {
    json!({
        "scenario": outcome.scenario,
        "success": outcome.is_success(),
        "duration_seconds": outcome.duration.as_secs_f64(),
        "undeclared": outcome.undeclared,
        "problems": outcome.problems,
        "alerts": outcome.alerts.iter().map(alert).collect::<Vec<_>>(),
    })
}

fn alert(alert: &AlertOutcome) -> Value {
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
    json!({
        "name": alert.name,
        "pending_seconds": seconds(alert.pending),
        "firing_seconds": seconds(alert.firing),
        "delivered_seconds": seconds(alert.delivered),
        "resolved_seconds": seconds(alert.resolved),
        "resolved_delivered_seconds": seconds(alert.resolved_delivered),
        "evidence": alert.evidence,
        "evidence_found_seconds": seconds(alert.evidence_found),
        "problems": alert.problems,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::report::tests::example;

    #[test]
    fn the_report_is_valid_json() {
        let report: Value = serde_json::from_str(&example().to_json()).unwrap();
        assert_eq!(report["speed"], 30);
        assert_eq!(report["success"], false);
        assert_eq!(report["exercises"][1]["alerts"][0]["delivered_seconds"], 4.0);
        assert_eq!(report["exercises"][2]["alerts"][0]["delivered_seconds"], Value::Null);
    }
}
