//! The client of the payment gateway, an external party over HTTP: with a deadline for each attempt, a few
//! retries, and a circuit breaker that stops asking while it fails.

mod circuit_breaker;
mod client;
pub mod wire;

pub use circuit_breaker::CircuitBreakerSettings;
pub use client::{GatewayClient, GatewaySettings};
