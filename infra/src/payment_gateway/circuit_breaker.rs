//! Stops asking a party that fails, and tries again after a while.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use glasshouse_telemetry::events::payment_gateway::{
    PaymentGatewayCircuitClosed, PaymentGatewayCircuitOpened,
};
use glasshouse_telemetry::metrics::GatewayMetrics;

/// When to stop asking and for how long.
#[derive(Clone, Copy, Debug)]
pub struct CircuitBreakerSettings {
    /// After so many failures in a row the circuit opens; at least 1.
    pub failures: u32,
    /// How long nobody is let through, before one caller may try.
    pub pause: Duration,
}

/// The state of the line to one party.
///
/// *Closed*: everybody is let through. *Open*: nobody is, until the pause is over. Then it is *half-open*: one
/// caller may try; success closes the circuit, failure opens it again.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    settings: CircuitBreakerSettings,
    state: Mutex<State>,
    metrics: GatewayMetrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { since: Instant },
    HalfOpen { since: Instant },
}

impl CircuitBreaker {
    pub(super) const fn new(settings: CircuitBreakerSettings, metrics: GatewayMetrics) -> Self {
        Self { settings, state: Mutex::new(State::Closed { failures: 0 }), metrics }
    }

    /// Whether a call may be made now. A caller who is let through must report what came of it.
    pub(super) fn let_through(&self, now: Instant) -> bool {
        self.update(|state| match state {
            State::Closed { .. } => (state, true),
            // Half-open for longer than the pause: whoever was let through never reported.
            State::Open { since } | State::HalfOpen { since } if now >= since + self.settings.pause => {
                (State::HalfOpen { since: now }, true)
            }
            State::Open { .. } | State::HalfOpen { .. } => (state, false),
        })
    }

    /// The party answered.
    pub(super) fn succeeded(&self) {
        self.update(|state| {
            if !matches!(state, State::Closed { .. }) {
                PaymentGatewayCircuitClosed {}.emit(&self.metrics);
            }
            (State::Closed { failures: 0 }, ())
        });
    }

    /// The party failed.
    pub(super) fn failed(&self, now: Instant) {
        self.update(|state| match state {
            State::Closed { failures } if failures + 1 < self.settings.failures => {
                (State::Closed { failures: failures + 1 }, ())
            }
            State::Closed { .. } | State::HalfOpen { .. } => {
                PaymentGatewayCircuitOpened { pause: self.settings.pause }.emit(&self.metrics);
                (State::Open { since: now }, ())
            }
            // A call that was under way when the circuit opened.
            State::Open { .. } => (state, ()),
        });
    }

    /// Changes the state, and emits under its lock, so that the metric ends as the state does.
    fn update<T>(&self, change: impl FnOnce(State) -> (State, T)) -> T {
        // A state is a plain value and always whole, so a panic elsewhere cannot have spoiled it.
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (next, result) = change(*state);
        *state = next;
        result
    }
}

#[cfg(test)]
mod tests {
    use glasshouse_telemetry::metrics::{Metrics, MetricsSettings};

    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn closed() -> CircuitBreaker {
        let metrics = Metrics::new(MetricsSettings::default()).unwrap().gateway;
        CircuitBreaker::new(CircuitBreakerSettings { failures: 2, pause: PAUSE }, metrics)
    }

    fn opened(now: Instant) -> CircuitBreaker {
        let breaker = closed();
        breaker.failed(now);
        assert!(breaker.let_through(now), "one failure is not enough");
        breaker.failed(now);
        breaker
    }

    #[test]
    fn opens_after_failures_in_a_row_and_only_then() {
        let now = Instant::now();
        let breaker = closed();
        for _ in 0..5 {
            breaker.failed(now);
            breaker.succeeded();
        }
        assert!(breaker.let_through(now));
        assert!(!opened(now).let_through(now));
    }

    #[test]
    fn lets_one_caller_try_after_the_pause() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(!breaker.let_through(now + PAUSE - Duration::from_millis(1)));
        assert!(breaker.let_through(now + PAUSE));
        assert!(!breaker.let_through(now + PAUSE), "a second caller has to wait");
        breaker.succeeded();
        assert!(breaker.let_through(now + PAUSE));
    }

    #[test]
    fn opens_again_when_the_try_fails() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.let_through(now + PAUSE));
        breaker.failed(now + PAUSE);
        assert!(!breaker.let_through(now + PAUSE * 2 - Duration::from_millis(1)));
        assert!(breaker.let_through(now + PAUSE * 2));
    }

    #[test]
    fn a_caller_who_never_reports_does_not_block_the_line_for_ever() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.let_through(now + PAUSE));
        assert!(breaker.let_through(now + PAUSE * 2));
    }
}
