use std::time::Duration;

use prometheus::{Error, HistogramVec, IntCounterVec, IntGauge, Registry};

use super::define::{counters, durations, gauge};
use super::labels::CappedLabel;

/// Requests. `endpoint` is the pattern of the route, never the path.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    in_flight: IntGauge,
    api_calls: IntCounterVec,
    rate_limited: IntCounterVec,
    shed: IntCounterVec,
    tenants: CappedLabel,
}

impl HttpMetrics {
    pub(super) fn register(registry: &Registry, tenants: CappedLabel) -> Result<Self, Error> {
        let shed = counters(
            registry,
            "load_shed_total",
            "Requests refused to protect the service, by reason.",
            &["reason"],
        )?;
        // A series that appears with the first refusal has no increase for an alert to see.
        shed.with_label_values(&["concurrency"]);
        Ok(Self {
            requests: counters(
                registry,
                "http_requests_total",
                "Requests answered, by method, route pattern and HTTP status.",
                &["method", "endpoint", "status"],
            )?,
            duration: durations(
                registry,
                "http_request_duration_seconds",
                "Time from the head of a request to the head of its answer, in seconds.",
                &["method", "endpoint"],
            )?,
            in_flight: gauge(registry, "http_requests_in_flight", "Requests that are being served now.")?,
            api_calls: counters(
                registry,
                "api_calls_total",
                "Requests of tenants, by tenant and route pattern. Tenants beyond the cap count as \"other\".",
                &["tenant_id", "endpoint"],
            )?,
            rate_limited: counters(
                registry,
                "tenant_rate_limited_total",
                "Requests refused by the rate limit of the tenant's plan.",
                &["tenant_id"],
            )?,
            shed,
            tenants,
        })
    }

    /// A request arrived. When the result is dropped, it has been answered or given up.
    #[must_use]
    pub fn begin(&self) -> InFlightRequest {
        self.in_flight.inc();
        InFlightRequest(self.in_flight.clone())
    }

    /// A request was answered.
    pub fn answered(&self, method: &str, endpoint: &str, status: u16, duration: Duration) {
        self.requests.with_label_values(&[method, endpoint, &status.to_string()]).inc();
        self.duration.with_label_values(&[method, endpoint]).observe(duration.as_secs_f64());
    }

    /// The request was a tenant's.
    pub fn called_by_tenant(&self, tenant: &str, endpoint: &str) {
        self.api_calls.with_label_values(&[self.tenants.of(tenant), endpoint]).inc();
    }

    /// A tenant's request was refused by its rate limit.
    pub fn rate_limited(&self, tenant: &str) {
        self.rate_limited.with_label_values(&[self.tenants.of(tenant)]).inc();
    }

    /// A request was refused to protect the service.
    pub fn shed(&self, reason: &str) {
        self.shed.with_label_values(&[reason]).inc();
    }
}

/// A request that is being served.
#[derive(Debug)]
pub struct InFlightRequest(IntGauge);

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.dec();
    }
}
