//! How the simulator behaves: latency, and the rates of errors, timeouts and declines.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The behavior of the simulator, as `PUT /control` sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behavior {
    /// The latency of every response, in milliseconds.
    latency_ms: u64,
    /// The ratio of requests that fail with 500 and have no effect, from 0 to 1.
    error_rate: f64,
    /// The ratio of requests that take effect without a response, from 0 to 1.
    timeout_rate: f64,
    /// The ratio of new charges that are declined, from 0 to 1.
    decline_rate: f64,
    /// How long it lasts, in seconds; absent: until the next change.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
}

/// A behavior that was set.
#[derive(Clone, Copy, Debug)]
pub(super) struct InEffect {
    behavior: Behavior,
    since: Instant,
}

impl Default for InEffect {
    fn default() -> Self {
        Self::from(Behavior::default())
    }
}

impl From<Behavior> for InEffect {
    fn from(behavior: Behavior) -> Self {
        Self { behavior, since: Instant::now() }
    }
}

impl InEffect {
    /// The behavior now. Its `seconds` are those that are left.
    pub(super) fn now(&self) -> Behavior {
        let Some(seconds) = self.behavior.seconds else { return self.behavior };
        let left = Duration::from_secs(seconds).saturating_sub(self.since.elapsed());
        if left.is_zero() {
            return Behavior::default();
        }
        Behavior { seconds: Some(left.as_secs_f64().ceil() as u64), ..self.behavior }
    }
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
    const MAX_SECONDS: u64 = 3600;

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
        if self.seconds.is_some_and(|seconds| !(1..=Self::MAX_SECONDS).contains(&seconds)) {
            return Some(format!("seconds must be from 1 to {}", Self::MAX_SECONDS));
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
        let always =
            Behavior { latency_ms: 5, error_rate: 1.0, timeout_rate: 1.0, decline_rate: 1.0, seconds: None }
                .draw();
        assert!(always.fails && always.times_out && always.declines);
    }

    #[test]
    fn invalid_behavior_names_the_field() {
        let wrong = |behavior: Behavior| behavior.problem().unwrap();
        assert!(wrong(Behavior { error_rate: 1.5, ..Behavior::default() }).contains("error_rate"));
        assert!(wrong(Behavior { decline_rate: f64::NAN, ..Behavior::default() }).contains("decline_rate"));
        assert!(wrong(Behavior { latency_ms: 60_001, ..Behavior::default() }).contains("latency_ms"));
        assert!(wrong(Behavior { seconds: Some(0), ..Behavior::default() }).contains("seconds"));
    }

    #[test]
    fn a_behavior_ends_by_itself() {
        let declines = Behavior { decline_rate: 1.0, ..Behavior::default() };
        let a_minute_ago = Instant::now() - Duration::from_secs(60);
        for (seconds, now) in [
            (None, declines),
            (Some(60), Behavior::default()),
            (Some(90), Behavior { seconds: Some(30), ..declines }),
        ] {
            let set = InEffect { behavior: Behavior { seconds, ..declines }, since: a_minute_ago };
            assert_eq!(set.now(), now, "{seconds:?}");
        }
    }
}
