use std::time::Duration;

use prometheus::{Error, HistogramVec, IntGauge, Registry};

use super::define::{durations, gauge};

/// Calls to the payment gateway.
#[derive(Clone, Debug)]
pub struct GatewayMetrics {
    duration: HistogramVec,
    circuit_open: IntGauge,
}

impl GatewayMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            duration: durations(
                registry,
                "payment_gateway_request_duration_seconds",
                "Time of one attempt to call the payment gateway, in seconds, by operation and outcome (ok, error, \
                 timeout).",
                &["operation", "outcome"],
            )?,
            circuit_open: gauge(
                registry,
                "payment_gateway_circuit_open",
                "1 while the payment gateway is not asked because it failed too often, 0 otherwise.",
            )?,
        })
    }

    /// One attempt ended.
    pub fn attempted(&self, operation: &str, outcome: &str, duration: Duration) {
        self.duration.with_label_values(&[operation, outcome]).observe(duration.as_secs_f64());
    }

    /// Whether the circuit is open.
    pub fn set_circuit_open(&self, is_open: bool) {
        self.circuit_open.set(i64::from(is_open));
    }
}
