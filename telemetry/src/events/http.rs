//! HTTP requests.

use std::fmt::Display;
use std::time::Duration;

use crate::metrics::semconv::ServedRequest;
use crate::metrics::{HttpMetrics, UNKNOWN_ENDPOINT};

crate::events! {
    "http"

    /// A request was answered; `duration_ms` is in milliseconds.
    pub struct RequestCompleted<'a>: INFO "request_completed" { status_code: u16, duration_ms: f64 }
    unlogged { method: &'a str, endpoint: &'a str, scheme: &'a str }
    moves HttpMetrics {
        requests: |event, requests| {
            requests.with([event.method, event.endpoint, &event.status_code.to_string()]).inc();
        };
        duration: |event, duration| {
            duration.with([event.method, event.endpoint]).observe(event.duration_ms / 1000.0);
        };
        server_duration: |event, server_duration| {
            let RequestCompleted { status_code, duration_ms, method, endpoint, scheme } = *event;
            let route = (endpoint != UNKNOWN_ENDPOINT).then_some(endpoint);
            let request = ServedRequest { method, scheme, route, status_code };
            server_duration.observe(&request, Duration::from_secs_f64(duration_ms / 1000.0));
        };
    }

    /// Bytes that are no HTTP request, or a head that did not arrive in time. The client got a problem document, and the
    /// connection was closed.
    pub struct MalformedRequest<'a>: INFO "malformed_request" { request_id: &'a str, status_code: u16 }
    moves HttpMetrics {
        malformed: |event, malformed| malformed.with([&*event.status_code.to_string()]).inc();
    }

    /// A request failed with an error that is not the client's, or with a panic.
    pub struct UnhandledException<'a>: ERROR "unhandled_exception" {
        problem: Option<&'a dyn Display>,
        cause: &'a dyn Display,
    }
}
