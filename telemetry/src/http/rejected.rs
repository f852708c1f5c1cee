//! Requests that are rejected before they are observed.

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderValue};

use super::method::RecordedMethod;
use super::request_id::{REQUEST_ID, RequestId};
use crate::metrics::{HttpMetrics, UNKNOWN_ENDPOINT};

/// A request that middleware outside of [`Observe`](super::Observe) and the root span rejects, because it costs too much to
/// observe each one. It counts in `http_requests_total`, and has an id. It has no duration, span or log record.
#[derive(Debug)]
pub struct RejectedRequest(String);

impl RejectedRequest {
    /// Counts the request, which gets a response with this status.
    #[must_use]
    pub fn new(request: &ServiceRequest, metrics: &HttpMetrics, status: StatusCode) -> Self {
        let method = RecordedMethod::of(request.method()).as_str();
        let endpoint = request.match_pattern();
        let endpoint = endpoint.as_deref().unwrap_or(UNKNOWN_ENDPOINT);
        metrics.requests.with([method, endpoint, status.as_str()]).inc();
        Self(RequestId::of(request).0)
    }

    /// The id of the request.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0
    }

    /// Adds the id to the response.
    pub fn finish(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::from_str(&self.0) {
            headers.insert(REQUEST_ID, id);
        }
    }
}
