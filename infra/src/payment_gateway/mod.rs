//! The HTTP client of the payment gateway, with a timeout for each attempt, retries with backoff, and a circuit
//! breaker.

mod circuit_breaker;
mod client;
pub mod wire;

pub use circuit_breaker::CircuitBreakerSettings;
pub use client::{GatewayClient, GatewaySettings};
