//! The circuit breaker: rejects calls to a dependency that keeps failing, and lets one through after a pause.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use glasshouse_telemetry::service::events::circuit_breaker::{CircuitBreakerClosed, CircuitBreakerOpened};
use glasshouse_telemetry::service::metrics::CircuitBreakerMetrics;

/// When the circuit opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct CircuitBreakerSettings {
    /// The number of consecutive failures that open the circuit; at least 1.
    pub failures: u32,
    /// How long the circuit stays open before one trial call is allowed.
    pub pause: Duration,
}

/// The circuit breaker of one dependency.
///
/// *Closed*: all calls are allowed. *Open*: all calls are rejected until the pause is over. *Half-open*: one trial call
/// is allowed; its success closes the circuit, its failure opens it again.
#[derive(Debug)]
pub struct CircuitBreaker {
    settings: CircuitBreakerSettings,
    state: Mutex<State>,
    metrics: CircuitBreakerMetrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { since: Instant },
    HalfOpen { since: Instant },
}

impl CircuitBreaker {
    /// A closed circuit breaker, which records its state in `metrics`.
    #[must_use]
    pub const fn new(settings: CircuitBreakerSettings, metrics: CircuitBreakerMetrics) -> Self {
        Self { settings, state: Mutex::new(State::Closed { failures: 0 }), metrics }
    }

    /// Whether all calls are allowed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.update(|state| (state, matches!(state, State::Closed { .. })))
    }

    /// Whether a call is allowed now. The caller of an allowed call must report its result.
    pub fn try_acquire(&self, now: Instant) -> bool {
        self.update(|state| match state {
            State::Closed { .. } => (state, true),
            // Half-open for longer than the pause: the trial call never reported its result.
            State::Open { since } | State::HalfOpen { since } if now >= since + self.settings.pause => {
                (State::HalfOpen { since: now }, true)
            }
            State::Open { .. } | State::HalfOpen { .. } => (state, false),
        })
    }

    /// Reports a successful call.
    pub fn succeeded(&self) {
        self.update(|state| {
            if !matches!(state, State::Closed { .. }) {
                CircuitBreakerClosed { dependency: self.metrics.dependency() }.emit(&self.metrics);
            }
            (State::Closed { failures: 0 }, ())
        });
    }

    /// Reports a failed call.
    pub fn failed(&self, now: Instant) {
        self.update(|state| match state {
            State::Closed { failures } if failures + 1 < self.settings.failures => {
                (State::Closed { failures: failures + 1 }, ())
            }
            State::Closed { .. } => {
                let (dependency, pause) = (self.metrics.dependency(), self.settings.pause);
                CircuitBreakerOpened { dependency, pause }.emit(&self.metrics);
                (State::Open { since: now }, ())
            }
            // It stays open, so that a long outage is logged once.
            State::HalfOpen { .. } => (State::Open { since: now }, ()),
            // A call that began before the circuit opened.
            State::Open { .. } => (state, ()),
        });
    }

    /// Changes the state. Events are emitted under the lock, so that the metric matches the state.
    fn update<T>(&self, change: impl FnOnce(State) -> (State, T)) -> T {
        // The state is assigned as a whole, so a poisoned lock still holds a valid one.
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (next, result) = change(*state);
        *state = next;
        result
    }
}

#[cfg(test)]
mod tests {
    use glasshouse_telemetry::service::metrics::{Metrics, MetricsSettings};

    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn closed() -> CircuitBreaker {
        let metrics = Metrics::new(MetricsSettings::default()).unwrap().payment_gateway.breaker;
        CircuitBreaker::new(CircuitBreakerSettings { failures: 2, pause: PAUSE }, metrics)
    }

    fn opened(now: Instant) -> CircuitBreaker {
        let breaker = closed();
        breaker.failed(now);
        assert!(breaker.try_acquire(now), "one failure is not enough");
        breaker.failed(now);
        breaker
    }

    #[test]
    fn opens_only_after_consecutive_failures() {
        let now = Instant::now();
        let breaker = closed();
        for _ in 0..5 {
            breaker.failed(now);
            breaker.succeeded();
        }
        assert!(breaker.try_acquire(now));
        assert!(!opened(now).try_acquire(now));
    }

    #[test]
    fn allows_one_trial_call_after_the_pause() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(!breaker.try_acquire(now + PAUSE - Duration::from_millis(1)));
        assert!(breaker.try_acquire(now + PAUSE));
        assert!(!breaker.try_acquire(now + PAUSE), "a second call is rejected");
        breaker.succeeded();
        assert!(breaker.try_acquire(now + PAUSE));
    }

    #[test]
    fn opens_again_when_the_trial_call_fails() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.try_acquire(now + PAUSE));
        breaker.failed(now + PAUSE);
        assert!(!breaker.try_acquire(now + PAUSE * 2 - Duration::from_millis(1)));
        assert!(breaker.try_acquire(now + PAUSE * 2));
    }

    #[test]
    fn allows_another_trial_call_when_the_first_never_reports() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.try_acquire(now + PAUSE));
        assert!(breaker.try_acquire(now + PAUSE * 2));
    }
}
