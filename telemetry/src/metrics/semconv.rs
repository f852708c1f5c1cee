//! Metrics under the names of OpenTelemetry's semantic conventions, as Prometheus' exposition spells them, beside the service's own.
//! They are exported on request alone, for dashboards that are made for these names: each costs as many series as ours.
//!
//! An attribute that a measurement lacks is an empty label, which Prometheus treats as absent.

use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Error, HistogramOpts};

use super::{HistogramVec, IntGaugeVec, Registrar};

/// The bounds that the conventions recommend for durations of HTTP requests, in seconds.
const HTTP_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The bounds that the conventions recommend for durations of database operations, in seconds.
const DATABASE_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// The value of `error.type` for an error that has no type of its own.
pub const OTHER_ERROR: &str = "_OTHER";

/// A metric that is part of the contract, and that a process exports on request.
#[derive(Clone, Debug)]
pub struct OptIn<C> {
    collector: C,
    is_exported: bool,
}

impl<C: Collector + Clone + 'static> OptIn<C> {
    fn register(registrar: &mut Registrar, collector: C, is_exported: bool) -> Result<Self, Error> {
        registrar.describe(&collector);
        if is_exported {
            registrar.export(collector.clone())?;
        }
        Ok(Self { collector, is_exported })
    }

    /// The metric, if this process exports it. Otherwise nothing has to be measured.
    pub fn exported(&self) -> Option<&C> {
        self.is_exported.then_some(&self.collector)
    }
}

impl<C: Collector> Collector for OptIn<C> {
    fn desc(&self) -> Vec<&Desc> {
        self.collector.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.collector.collect()
    }
}

/// `http.server.request.duration`: method, scheme, route, status code and error type.
pub type ServerDuration = OptIn<HistogramVec<5>>;

/// `http.server.active_requests`: method and scheme.
pub type ServerActiveRequests = OptIn<IntGaugeVec<2>>;

/// `http.client.request.duration`: method, address and port of the server, status code and error type.
pub type ClientDuration = OptIn<HistogramVec<5>>;

/// `db.client.operation.duration`: system, operation and error type.
pub type DatabaseDuration = OptIn<HistogramVec<3>>;

pub(super) fn server_duration(registrar: &mut Registrar, is_exported: bool) -> Result<ServerDuration, Error> {
    let labels =
        ["http_request_method", "url_scheme", "http_route", "http_response_status_code", "error_type"];
    let duration = histogram(
        "http_server_request_duration_seconds",
        "http.server.request.duration of OpenTelemetry, in seconds: as http_request_duration_seconds, by status too. Only with \
         GLASSHOUSE_OTEL_METRICS.",
        &HTTP_BUCKETS,
        labels,
    )?;
    OptIn::register(registrar, duration, is_exported)
}

pub(super) fn server_active_requests(
    registrar: &mut Registrar,
    is_exported: bool,
) -> Result<ServerActiveRequests, Error> {
    let active = IntGaugeVec::unregistered(
        "http_server_active_requests",
        "http.server.active_requests of OpenTelemetry: as http_requests_in_flight, by method. Only with GLASSHOUSE_OTEL_METRICS.",
        ["http_request_method", "url_scheme"],
    )?;
    OptIn::register(registrar, active, is_exported)
}

/// Registers the metric of calls of third parties. All of them share it.
///
/// # Errors
/// When the metric cannot be registered.
pub fn client_duration(registrar: &mut Registrar, is_exported: bool) -> Result<ClientDuration, Error> {
    let labels =
        ["http_request_method", "server_address", "server_port", "http_response_status_code", "error_type"];
    let duration = histogram(
        "http_client_request_duration_seconds",
        "http.client.request.duration of OpenTelemetry, in seconds: each attempt to call a third party. Only with \
         GLASSHOUSE_OTEL_METRICS.",
        &HTTP_BUCKETS,
        labels,
    )?;
    OptIn::register(registrar, duration, is_exported)
}

/// Registers the metric of queries.
///
/// # Errors
/// When the metric cannot be registered.
pub fn database_duration(registrar: &mut Registrar, is_exported: bool) -> Result<DatabaseDuration, Error> {
    let duration = histogram(
        "db_client_operation_duration_seconds",
        "db.client.operation.duration of OpenTelemetry, in seconds: as database_query_duration_seconds, by operation. Only with \
         GLASSHOUSE_OTEL_METRICS.",
        &DATABASE_BUCKETS,
        ["db_system_name", "db_operation_name", "error_type"],
    )?;
    OptIn::register(registrar, duration, is_exported)
}

fn histogram<const N: usize>(
    name: &str,
    help: &str,
    buckets: &[f64],
    labels: [&str; N],
) -> Result<HistogramVec<N>, Error> {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    Ok(HistogramVec::new(prometheus::HistogramVec::new(options, &labels)?))
}

/// A request that a server has answered.
pub(crate) struct ServedRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) scheme: &'a str,
    /// The route pattern; `None` if no route matches.
    pub(crate) route: Option<&'a str>,
    pub(crate) status_code: u16,
}

impl ServerDuration {
    /// Observes a request, if the metric is exported. Its status is the error type of an error of the server.
    pub(crate) fn observe(&self, request: &ServedRequest<'_>, duration: Duration) {
        let Some(metric) = self.exported() else { return };
        let status = request.status_code.to_string();
        let error = if request.status_code >= 500 { &*status } else { "" };
        let route = request.route.unwrap_or_default();
        let labels = [request.method, request.scheme, route, &status, error];
        metric.with(labels).observe(duration.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_described_always_and_exported_on_request() {
        for is_exported in [false, true] {
            let mut registrar = Registrar::default();
            let metric = server_duration(&mut registrar, is_exported).unwrap();
            let request =
                ServedRequest { method: "GET", scheme: "http", route: Some("/v1/orders"), status_code: 503 };
            metric.observe(&request, Duration::from_millis(7));
            assert_eq!(registrar.definitions()[0].name, "http_server_request_duration_seconds");
            let text = registrar.text().unwrap();
            let series = "http_server_request_duration_seconds_count{error_type=\"503\",http_request_method=\"GET\",\
                          http_response_status_code=\"503\",http_route=\"/v1/orders\",url_scheme=\"http\"} 1";
            assert_eq!(text.contains(series), is_exported, "{text}");
        }
    }

    #[test]
    fn a_request_without_a_route_or_an_error_has_neither_label() {
        let mut registrar = Registrar::default();
        let metric = server_duration(&mut registrar, true).unwrap();
        let request = ServedRequest { method: "GET", scheme: "https", route: None, status_code: 404 };
        metric.observe(&request, Duration::ZERO);
        assert!(
            registrar.text().unwrap().contains("error_type=\"\"")
                && registrar.text().unwrap().contains("http_route=\"\"")
        );
    }
}
