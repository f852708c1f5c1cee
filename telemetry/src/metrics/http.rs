//! HTTP requests.

use prometheus::{Error, IntGauge};

use super::{HistogramVec, IntCounterVec, Registrar};
use crate::events::MetricsHandle;

/// HTTP requests. The label `endpoint` is the route pattern, never the path.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    pub(crate) requests: IntCounterVec<3>,
    pub(crate) duration: HistogramVec<2>,
    pub(crate) malformed: IntCounterVec<1>,
    in_flight: IntGauge,
}

impl HttpMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        let malformed = registrar.int_counter_vec(
            "http_malformed_requests_total",
            "Connections closed because of bytes that are no HTTP request, by HTTP status.",
            ["status"],
        )?;
        // The series exist from the start, so that `rate()` sees their first increase.
        for status in ["400", "408", "431"] {
            malformed.with([status]);
        }
        Ok(Self {
            malformed,
            requests: registrar.int_counter_vec(
                "http_requests_total",
                "Completed requests, by method, route pattern and HTTP status.",
                ["method", "endpoint", "status"],
            )?,
            duration: registrar.histogram_vec(
                "http_request_duration_seconds",
                "Duration from the whole request to the response head, in seconds.",
                ["method", "endpoint"],
            )?,
            in_flight: registrar.int_gauge("http_requests_in_flight", "In-flight requests.")?,
        })
    }

    /// Creates the series of an operation at zero, so that `rate` sees the increase of its first requests. `endpoint` is its
    /// route pattern, `statuses` are the HTTP statuses that its responses may have.
    pub fn watch<'a>(&self, method: &str, endpoint: &str, statuses: impl IntoIterator<Item = &'a str>) {
        self.duration.with([method, endpoint]);
        for status in statuses {
            self.requests.with([method, endpoint, status]);
        }
    }

    /// Counts a request as in flight until the result is dropped.
    #[must_use]
    pub fn begin(&self) -> InFlightRequest {
        self.in_flight.inc();
        InFlightRequest(self.in_flight.clone())
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
