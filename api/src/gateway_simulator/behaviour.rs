use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the gateway behaves: set with `PUT /control`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Behaviour {
    /// How long every answer takes, in milliseconds.
    latency_ms: u64,
    /// The share of requests that fail with 500 and have no effect: 0 to 1.
    error_rate: f64,
    /// The share of requests that take effect and are never answered: 0 to 1.
    timeout_rate: f64,
    /// The share of new charges that are declined: 0 to 1.
    decline_rate: f64,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) latency: Duration,
    pub(super) fails: bool,
    pub(super) is_never_answered: bool,
    pub(super) declines: bool,
}

impl Behaviour {
    const MAX_LATENCY_MS: u64 = 60_000;

    /// What is wrong with this behaviour, if anything.
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

    /// Rolls the dice for one request.
    pub(super) fn fate(&self) -> Fate {
        let happens = |rate: f64| rand::random::<f64>() < rate;
        Fate {
            latency: Duration::from_millis(self.latency_ms),
            fails: happens(self.error_rate),
            is_never_answered: happens(self.timeout_rate),
            declines: happens(self.decline_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_0_and_1_leave_nothing_to_chance() {
        let never = Behaviour::default().fate();
        assert!(!never.fails && !never.is_never_answered && !never.declines);
        let always =
            Behaviour { latency_ms: 5, error_rate: 1.0, timeout_rate: 1.0, decline_rate: 1.0 }.fate();
        assert!(always.fails && always.is_never_answered && always.declines);
    }

    #[test]
    fn impossible_behaviour_is_named() {
        let wrong = |behaviour: Behaviour| behaviour.problem().unwrap();
        assert!(wrong(Behaviour { error_rate: 1.5, ..Behaviour::default() }).contains("error_rate"));
        assert!(wrong(Behaviour { decline_rate: f64::NAN, ..Behaviour::default() }).contains("decline_rate"));
        assert!(wrong(Behaviour { latency_ms: 60_001, ..Behaviour::default() }).contains("latency_ms"));
    }
}
