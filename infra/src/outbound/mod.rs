//! Calls of third parties over HTTP: a client with a timeout for each attempt, retries with backoff and a budget, and a circuit
//! breaker, which records a span and metrics for each attempt.

mod circuit_breaker;
mod client;
mod retry_budget;

pub use circuit_breaker::{CircuitBreaker, CircuitBreakerSettings};
pub use client::{Call, CallFailure, ClientSettings, OutboundClient};
