use std::time::Duration;

use serde_json::{Value, json};

use super::{AlertOutcome, Outcome, Report};

impl Report {
    /// The report as JSON; times are in seconds.
    pub fn to_json(&self) -> String {
        let exercises: Vec<_> = self.outcomes.iter().map(exercise).collect();
        let report = json!({
            "speed": self.speed.factor(),
            "good": self.is_good(),
            "exercises": exercises,
        });
        format!("{report:#}\n")
    }
}

fn exercise(outcome: &Outcome) -> Value {
    json!({
        "scenario": outcome.scenario,
        "good": outcome.is_good(),
        "took_seconds": outcome.took.as_secs_f64(),
        "unexpected": outcome.unexpected,
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
        "evidence_found": alert.evidence_found,
        "problems": alert.problems,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::report::tests::example;

    #[test]
    fn machines_can_read_it() {
        let report: Value = serde_json::from_str(&example().to_json()).unwrap();
        assert_eq!(report["speed"], 30);
        assert_eq!(report["good"], false);
        assert_eq!(report["exercises"][1]["alerts"][0]["delivered_seconds"], 4.0);
        assert_eq!(report["exercises"][2]["alerts"][0]["delivered_seconds"], Value::Null);
    }
}
