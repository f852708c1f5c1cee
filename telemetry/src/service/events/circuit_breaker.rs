//! Circuit breakers.

use std::time::Duration;

use crate::service::metrics::CircuitBreakerMetrics;

crate::events! {
    "circuit breakers"

    /// A circuit breaker opened: calls of `dependency` are rejected until a trial call, after each `pause`, succeeds.
    pub struct CircuitBreakerOpened: WARN "circuit_breaker_opened" { dependency: &'static str, pause: Duration }
    moves CircuitBreakerMetrics { circuit_open: |_, circuit_open| circuit_open.set(1); }

    /// A circuit breaker closed: `dependency` is called again.
    pub struct CircuitBreakerClosed: INFO "circuit_breaker_closed" { dependency: &'static str }
    moves CircuitBreakerMetrics { circuit_open: |_, circuit_open| circuit_open.set(0); }
}
