//! How the simulator behaves: latency, and the rates of errors, timeouts and declines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The behavior of the simulator, as `PUT /control` sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Behavior {
    /// The latency of every response, in milliseconds.
    latency_ms: u64,
    /// The ratio of requests that fail with 500 and have no effect, from 0 to 1.
    error_rate: f64,
    /// The ratio of requests that take effect without a response, from 0 to 1.
    timeout_rate: f64,
    /// The ratio of new charges that are declined, from 0 to 1.
    decline_rate: f64,
}

/// The outcome that was drawn for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) latency: Duration,
    pub(super) fails: bool,
    pub(super) times_out: bool,
    pub(super) declines: bool,
}

impl Behavior {
    const MAX_LATENCY_MS: u64 = 60_000;

    /// Why this behavior is invalid; `None` if it is valid.
    pub(super) fn problem(&self) -> Option<String> {
        let rates = [
            ("error_rate", self.error_rate),
            ("timeout_rate", self.timeout_rate),
            ("decline_rate", self.decline_rate),
        ];
        if self.latency_ms > Self::MAX_LATENCY_MS {
            return Some(format!("latency_ms must be at most {}", Self::MAX_LATENCY_MS));
        }
        let wrong = rates.iter().find(|(_, rate)| !(0.0..=1.0).contains(rate));
        wrong.map(|(name, rate)| format!("{name} must be from 0 to 1, not {rate}"))
    }

    /// Draws the outcome of one request.
    pub(super) fn draw(&self) -> Outcome {
        let happens = |rate: f64| rand::random::<f64>() < rate;
        Outcome {
            latency: Duration::from_millis(self.latency_ms),
            fails: happens(self.error_rate),
            times_out: happens(self.timeout_rate),
            declines: happens(self.decline_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_0_and_1_are_deterministic() {
        let never = Behavior::default().draw();
        assert!(!never.fails && !never.times_out && !never.declines);
        let always = Behavior { latency_ms: 5, error_rate: 1.0, timeout_rate: 1.0, decline_rate: 1.0 }.draw();
        assert!(always.fails && always.times_out && always.declines);
    }

    #[test]
    fn invalid_behavior_names_the_field() {
        let wrong = |behavior: Behavior| behavior.problem().unwrap();
        assert!(wrong(Behavior { error_rate: 1.5, ..Behavior::default() }).contains("error_rate"));
        assert!(wrong(Behavior { decline_rate: f64::NAN, ..Behavior::default() }).contains("decline_rate"));
        assert!(wrong(Behavior { latency_ms: 60_001, ..Behavior::default() }).contains("latency_ms"));
    }
}
