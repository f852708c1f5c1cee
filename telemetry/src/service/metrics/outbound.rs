//! Calls of third parties, and circuit breakers. Each third party and each breaker has metrics of its own, whose names
//! begin with its name.

use std::time::Duration;

use prometheus::{Error, IntGauge};

use crate::metrics::semconv::ClientDuration;
use crate::metrics::{HistogramVec, IntCounterVec, Registrar};

/// Attempts to call one third party, and the circuit breaker of its client.
#[derive(Clone, Debug)]
pub struct OutboundMetrics {
    duration: HistogramVec<2>,
    requests: ClientDuration,
    retries: IntCounterVec<1>,
    /// The circuit breaker.
    pub breaker: CircuitBreakerMetrics,
}

/// The circuit breaker of one dependency.
#[derive(Clone, Debug)]
pub struct CircuitBreakerMetrics {
    dependency: &'static str,
    pub(crate) circuit_open: IntGauge,
}

const SENT: &str = "sent";
const OVER_BUDGET: &str = "over_budget";

impl OutboundMetrics {
    /// Registers the metrics of a third party; `name` is in snake case, such as `payment_gateway`. The series of its
    /// `operations` begin at zero, so that an alert sees the increase of the first failures. `requests` are those of all third parties.
    pub(super) fn register(
        registrar: &mut Registrar,
        name: &'static str,
        operations: &[&str],
        requests: ClientDuration,
    ) -> Result<Self, Error> {
        let title = name.replace('_', " ");
        let metrics = Self {
            duration: registrar.histogram_vec(
                &format!("{name}_request_duration_seconds"),
                &format!(
                    "Duration of one attempt to call the {title}, in seconds, by operation and outcome (ok, error, \
                     timeout)."
                ),
                ["operation", "outcome"],
            )?,
            retries: registrar.int_counter_vec(
                &format!("{name}_retries_total"),
                &format!(
                    "Retries of failed calls to the {title}, by result (sent; over_budget: not sent, because retries are \
                     limited to a ratio of the calls)."
                ),
                ["result"],
            )?,
            requests,
            breaker: CircuitBreakerMetrics::register(registrar, name)?,
        };
        for result in [SENT, OVER_BUDGET] {
            metrics.retries.with([result]);
        }
        for operation in operations {
            for outcome in ["ok", "error", "timeout"] {
                metrics.duration.with([operation, outcome]);
            }
        }
        Ok(metrics)
    }

    /// Counts a retry.
    pub fn retried(&self) {
        self.retries.with([SENT]).inc();
    }

    /// Counts a retry that was not sent, because the budget was used up.
    pub fn retry_over_budget(&self) {
        self.retries.with([OVER_BUDGET]).inc();
    }

    /// Observes one attempt.
    pub fn attempted(&self, attempt: &Attempt<'_>, duration: Duration) {
        self.duration.with([attempt.operation, attempt.outcome]).observe(duration.as_secs_f64());
        if let Some(requests) = self.requests.exported() {
            let text = |number: Option<u16>| number.map(|number| number.to_string()).unwrap_or_default();
            let (port, status) = (text(attempt.port), text(attempt.status));
            let error = attempt.error.unwrap_or_default();
            requests
                .with([attempt.method, attempt.address, &port, &status, error])
                .observe(duration.as_secs_f64());
        }
    }
}

/// One attempt to call a third party.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What was called, such as `charge`.
    pub operation: &'a str,
    /// `ok`, `error` or `timeout`.
    pub outcome: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// The host of the third party: a setting, and not a value of a request.
    pub address: &'a str,
    /// Its port.
    pub port: Option<u16>,
    /// The HTTP status of its response, if there was one.
    pub status: Option<u16>,
    /// The attribute `error.type` of the span, if the attempt failed.
    pub error: Option<&'a str>,
}

impl CircuitBreakerMetrics {
    /// Registers the metric of a dependency's breaker; `dependency` is in snake case, such as `payment_gateway`.
    pub(super) fn register(registrar: &mut Registrar, dependency: &'static str) -> Result<Self, Error> {
        let title = dependency.replace('_', " ");
        let circuit_open = registrar.int_gauge(
            &format!("{dependency}_circuit_open"),
            &format!("1 while the circuit breaker of the {title} rejects calls, 0 otherwise."),
        )?;
        Ok(Self { dependency, circuit_open })
    }

    /// The dependency, such as `payment_gateway`.
    #[must_use]
    pub const fn dependency(&self) -> &'static str {
        self.dependency
    }
}
