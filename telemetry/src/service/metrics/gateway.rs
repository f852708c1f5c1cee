//! Calls to the payment gateway.

use std::time::Duration;

use prometheus::{Error, IntGauge};

use crate::metrics::{HistogramVec, Registrar};

/// Attempts to call the payment gateway, and its circuit breaker.
#[derive(Clone, Debug)]
pub struct GatewayMetrics {
    duration: HistogramVec<2>,
    pub(crate) circuit_open: IntGauge,
}

impl GatewayMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        Ok(Self {
            duration: registrar.histogram_vec(
                "payment_gateway_request_duration_seconds",
                "Duration of one attempt to call the payment gateway, in seconds, by operation and outcome (ok, error, \
                 timeout).",
                ["operation", "outcome"],
            )?,
            circuit_open: registrar.int_gauge(
                "payment_gateway_circuit_open",
                "1 while the circuit breaker of the payment gateway rejects calls, 0 otherwise.",
            )?,
        })
    }

    /// Observes one attempt.
    pub fn attempted(&self, operation: &str, outcome: &str, duration: Duration) {
        self.duration.with([operation, outcome]).observe(duration.as_secs_f64());
    }
}
