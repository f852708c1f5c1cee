//! HTTP requests.

use std::collections::BTreeMap;

use prometheus::core::Collector;
use prometheus::proto::Metric;
use prometheus::{Error, IntGauge};

use super::semconv::{self, ServerActiveRequests, ServerDuration};
use super::{HistogramVec, IntCounterVec, Registrar};
use crate::events::MetricsHandle;

/// The label `endpoint` of paths that no route serves. The path itself would be an unbounded label.
pub const UNKNOWN_ENDPOINT: &str = "unknown";

/// HTTP requests. The label `endpoint` is the route pattern, never the path.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    pub(crate) requests: IntCounterVec<3>,
    pub(crate) duration: HistogramVec<2>,
    pub(crate) malformed: IntCounterVec<1>,
    pub(crate) server_duration: ServerDuration,
    in_flight: IntGauge,
    active: ServerActiveRequests,
}

impl HttpMetrics {
    pub(super) fn register(registrar: &mut Registrar, has_semconv: bool) -> Result<Self, Error> {
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
            server_duration: semconv::server_duration(registrar, has_semconv)?,
            active: semconv::server_active_requests(registrar, has_semconv)?,
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

    /// What was counted so far, as `/metrics` has it.
    #[must_use]
    pub fn totals(&self) -> HttpTotals {
        let mut endpoints: BTreeMap<_, EndpointTotals> = BTreeMap::new();
        for metric in self.requests.collect().iter().flat_map(|family| family.get_metric()) {
            let totals = endpoints.entry(endpoint_of(metric)).or_default();
            // Counters of requests are whole numbers.
            totals.by_status.insert(label(metric, "status"), metric.get_counter().get_value() as u64);
        }
        for metric in self.duration.collect().iter().flat_map(|family| family.get_metric()) {
            let totals = endpoints.entry(endpoint_of(metric)).or_default();
            let buckets = metric.get_histogram().get_bucket().iter();
            totals.buckets = buckets.map(|bucket| bucket.cumulative_count()).collect();
            totals.count = metric.get_histogram().get_sample_count();
        }
        HttpTotals { endpoints, in_flight: self.in_flight.get() }
    }

    /// Counts a request as in flight until the result is dropped.
    #[must_use]
    pub fn begin(&self, method: &str, scheme: &str) -> InFlightRequest {
        let active = self.active.exported().map(|active| active.with([method, scheme]));
        let request = InFlightRequest { in_flight: self.in_flight.clone(), active };
        request.gauges().for_each(IntGauge::inc);
        request
    }
}

/// What was counted of requests since the process began.
#[derive(Clone, Debug, Default)]
pub struct HttpTotals {
    /// By method and route pattern.
    pub endpoints: BTreeMap<(String, String), EndpointTotals>,
    /// Requests in flight now.
    pub in_flight: i64,
}

/// What was counted of the requests of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointTotals {
    /// Completed requests by HTTP status.
    pub by_status: BTreeMap<String, u64>,
    /// The durations up to each bound of [`BUCKETS`](super::BUCKETS); cumulative.
    pub buckets: Vec<u64>,
    /// All durations.
    pub count: u64,
}

fn endpoint_of(metric: &Metric) -> (String, String) {
    (label(metric, "method"), label(metric, "endpoint"))
}

fn label(metric: &Metric, name: &str) -> String {
    let label = metric.get_label().iter().find(|label| label.name() == name);
    label.map(|label| label.value().to_owned()).unwrap_or_default()
}

/// An in-flight request.
#[derive(Debug)]
pub struct InFlightRequest {
    in_flight: IntGauge,
    /// The same under the name of OpenTelemetry, if it is exported.
    active: Option<IntGauge>,
}

impl InFlightRequest {
    fn gauges(&self) -> impl Iterator<Item = &IntGauge> {
        std::iter::once(&self.in_flight).chain(&self.active)
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.gauges().for_each(IntGauge::dec);
    }
}

/// Requests of operators' endpoints, such as profiles, are logged and not counted.
impl MetricsHandle<HttpMetrics> for Option<HttpMetrics> {
    fn metrics(&self) -> Option<&HttpMetrics> {
        self.as_ref()
    }
}
