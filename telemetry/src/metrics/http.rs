//! HTTP requests.

use std::time::Duration;

use prometheus::{Error, IntGauge};

use super::labels::CappedLabel;
use super::{HistogramVec, IntCounterVec, Registrar};

/// HTTP requests. The label `endpoint` is the route pattern, never the path.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: IntCounterVec<3>,
    duration: HistogramVec<2>,
    in_flight: IntGauge,
    api_calls: IntCounterVec<2>,
    rate_limited: IntCounterVec<1>,
    shed: IntCounterVec<1>,
    tenants: CappedLabel,
}

impl HttpMetrics {
    pub(super) fn register(registrar: &mut Registrar, tenants: CappedLabel) -> Result<Self, Error> {
        let shed = registrar.int_counter_vec(
            "load_shed_total",
            "Requests rejected by load shedding, by reason (concurrency).",
            ["reason"],
        )?;
        // Created at zero, so that an alert sees the increase of the first rejection.
        shed.with(["concurrency"]);
        Ok(Self {
            requests: registrar.int_counter_vec(
                    "http_requests_total",
                "Completed requests, by method, route pattern and HTTP status.",
                ["method", "endpoint", "status"],
            )?,
            duration: registrar.histogram_vec(
                    "http_request_duration_seconds",
                "Duration from the request head to the response head, in seconds.",
                ["method", "endpoint"],
            )?,
            in_flight: registrar.int_gauge("http_requests_in_flight", "In-flight requests.")?,
            api_calls: registrar.int_counter_vec(
                    "api_calls_total",
                "Authenticated requests, by tenant and route pattern. Tenants beyond the cap count as \"other\".",
                ["tenant_id", "endpoint"],
            )?,
            rate_limited: registrar.int_counter_vec(
                    "tenant_rate_limited_total",
                "Requests rejected by the rate limit of the tenant's plan.",
                ["tenant_id"],
            )?,
            shed,
            tenants,
        })
    }

    /// Counts a request as in flight until the result is dropped.
    #[must_use]
    pub fn begin(&self) -> InFlightRequest {
        self.in_flight.inc();
        InFlightRequest(self.in_flight.clone())
    }

    /// Counts a completed request.
    pub fn answered(&self, method: &str, endpoint: &str, status: u16, duration: Duration) {
        self.requests.with([method, endpoint, &status.to_string()]).inc();
        self.duration.with([method, endpoint]).observe(duration.as_secs_f64());
    }

    /// Counts an authenticated request.
    pub fn called_by_tenant(&self, tenant: &str, endpoint: &str) {
        self.api_calls.with([self.tenants.of(tenant), endpoint]).inc();
    }

    /// Counts a request that the rate limit rejected.
    pub fn rate_limited(&self, tenant: &str) {
        self.rate_limited.with([self.tenants.of(tenant)]).inc();
    }

    /// Counts a request that was shed.
    pub fn shed(&self, reason: &str) {
        self.shed.with([reason]).inc();
    }
}

/// An in-flight request.
#[derive(Debug)]
pub struct InFlightRequest(IntGauge);

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.dec();
    }
}
