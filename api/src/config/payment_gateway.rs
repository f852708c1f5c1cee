//! Settings of the payment gateway's client, and of the simulator that stands in for a payment gateway.

use std::net::SocketAddr;

use glasshouse_infra::payment_gateway::{CircuitBreakerSettings, GatewaySettings};
use url::Url;

use super::Reader;

const URL: &str = "GLASSHOUSE_PAYMENT_GATEWAY_URL";

/// Reads timeouts, retries and circuit breaker of the client.
pub(super) fn read_client(env: &mut Reader) -> GatewaySettings {
    let attempts = env.number("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", 3, 1..=10);
    let failures = env.number("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_FAILURES", 5, 1..=1000);
    GatewaySettings {
        attempt_timeout: env.milliseconds("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", 2_000),
        attempts: u32::try_from(attempts).unwrap_or(3),
        backoff: env.milliseconds("GLASSHOUSE_PAYMENT_GATEWAY_BACKOFF_MS", 100),
        circuit_breaker: CircuitBreakerSettings {
            failures: u32::try_from(failures).unwrap_or(5),
            pause: env.milliseconds("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_PAUSE_MS", 10_000),
        },
    }
}

/// Reads the URL of the payment gateway, which is required.
pub(super) fn read_url(env: &mut Reader) -> Option<Url> {
    let hint = "set it to the gateway's address, such as http://gateway:8090";
    env.required(URL, hint, |text| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(_) => Err("must begin with http:// or https://".to_owned()),
        Err(error) => Err(format!("is not a URL: {error}")),
    })
}

/// Reads the URL of the payment gateway; `None` if it is not set.
pub(super) fn read_optional_url(env: &mut Reader) -> Option<Url> {
    env.text(URL).and_then(|_| read_url(env))
}

/// Reads the address on which the simulator listens.
pub(super) fn read_simulator_address(env: &mut Reader) -> SocketAddr {
    env.or("GLASSHOUSE_GATEWAY_ADDR", SocketAddr::from(([127, 0, 0, 1], 8090)))
}
