//! HTTP requests.

use prometheus::{Error, IntGauge};

use super::labels::{Capped, CappedLabel};
use super::{HistogramVec, IntCounterVec, Registrar};
use crate::events::MetricsHandle;

/// HTTP requests. The label `endpoint` is the route pattern, never the path.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    pub(crate) requests: IntCounterVec<3>,
    pub(crate) duration: HistogramVec<2>,
    in_flight: IntGauge,
    api_calls: Capped<IntCounterVec<2>>,
    rate_limited: Capped<IntCounterVec<1>>,
    shed: IntCounterVec<1>,
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
        let api_calls = registrar.int_counter_vec(
            "api_calls_total",
            "Authenticated requests, by tenant and route pattern. Tenants beyond the cap count as \"other\".",
            ["tenant_id", "endpoint"],
        )?;
        let rate_limited = registrar.int_counter_vec(
            "tenant_rate_limited_total",
            "Requests rejected by the rate limit of the tenant's plan.",
            ["tenant_id"],
        )?;
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
            api_calls: Capped::new(api_calls, tenants.clone()),
            rate_limited: Capped::new(rate_limited, tenants),
            shed,
        })
    }

    /// Counts a request as in flight until the result is dropped.
    #[must_use]
    pub fn begin(&self) -> InFlightRequest {
        self.in_flight.inc();
        InFlightRequest(self.in_flight.clone())
    }

    /// Counts an authenticated request.
    pub fn called_by_tenant(&self, tenant: &str, endpoint: &str) {
        self.api_calls.with([tenant, endpoint]).inc();
    }

    /// Counts a request that the rate limit rejected.
    pub fn rate_limited(&self, tenant: &str) {
        self.rate_limited.with([tenant]).inc();
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

/// Requests of operators' endpoints, such as profiles, are logged and not counted.
impl MetricsHandle<HttpMetrics> for Option<HttpMetrics> {
    fn metrics(&self) -> Option<&HttpMetrics> {
        self.as_ref()
    }
}
