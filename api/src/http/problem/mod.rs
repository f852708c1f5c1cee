//! Error responses: RFC 9457 `application/problem+json`.
//!
//! A [`Problem`] separates what the client gets from its cause: the cause is logged, and never in a body.

mod bare;
mod fields;
mod framework;
mod from_domain;
mod responses;

pub use bare::document_bare_errors;
pub(crate) use bare::of_status;
pub use fields::Fields;
pub(crate) use framework::{extractor_configs, query_config};
pub use responses::ProblemDocuments;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use glasshouse_telemetry::with_causes;
use serde::Serialize;
use utoipa::ToSchema;

/// An error response, with its cause for the log.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// The error of one field of the request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, such as `items[0].quantity`.
    #[schema(example = "items[0].quantity")]
    pub field: String,
    /// The error.
    #[schema(example = "must be a whole number from 1 to 1000000")]
    pub message: String,
}

/// An RFC 9457 problem document.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Always `about:blank`: `code` is the type of the problem.
    #[schema(example = "about:blank")]
    pub r#type: &'static str,
    /// The reason phrase of the status.
    #[schema(example = "Conflict")]
    pub title: String,
    /// The HTTP status code.
    #[schema(example = 409)]
    pub status: u16,
    /// What went wrong, and what to do about it.
    pub detail: String,
    /// The type of the problem, for programs.
    #[schema(example = "out_of_stock")]
    pub code: &'static str,
    /// The id of the request in logs and traces, as in the response header `x-request-id`.
    // Empty and left out on the endpoints of the management interface that have no root span.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// The errors of all invalid fields; absent if the problem is not about fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem with this status, a code for programs and a detail for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string();
        Self { status, code, detail, errors: Vec::new(), headers: Vec::new(), cause: None }
    }

    /// 400: the request is malformed.
    pub fn bad_request(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404: the object does not exist, or it belongs to another tenant. The response does not reveal which.
    pub fn not_found(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 409: the request conflicts with the current state.
    pub fn conflict(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 413: the body exceeds `limit` bytes.
    pub fn body_too_large(limit: usize) -> Self {
        let detail = format!("the body must not exceed {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }

    /// 500: the service failed. The client does not get the cause.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "internal error; please report it with this request_id";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal_server_error", detail).because(cause)
    }

    /// 503: the service is temporarily unavailable. The client may retry after a second.
    pub fn unavailable(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(Duration::from_secs(1))
    }

    /// 429: the client has made too many attempts, and may make another one after this time.
    pub fn too_many_attempts(detail: impl fmt::Display, retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail).retry_after(retry_after)
    }

    /// Adds the header `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.headers.push((header::RETRY_AFTER, HeaderValue::from(whole_seconds(pause))));
        self
    }

    /// Adds a header that says what the client may do, such as `Allow`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The response, with the id of the request.
    pub fn response(&self, request_id: &str) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        if matches!(self.status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE) {
            // The rest of the body is not read.
            response.force_close();
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
        response.content_type("application/problem+json").json(ProblemBody {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code,
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        })
    }

    /// The status of the response.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The chain of causes, for the log.
    pub fn causes(&self) -> Option<String> {
        self.cause.as_deref().map(|cause| with_causes(cause))
    }
}

/// A duration in whole seconds, rounded up so that a client that waits this long does not retry too early.
pub(super) fn whole_seconds(pause: Duration) -> u64 {
    pause.as_secs().saturating_add(u64::from(pause.subsec_nanos() > 0))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// A response without the id of the request, which [`ProblemDocuments`] adds.
    fn error_response(&self) -> HttpResponse {
        self.response("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_rounded_up_to_whole_seconds() {
        for (pause, seconds) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_micros(999), 1),
            (Duration::from_secs(1), 1),
            (Duration::from_millis(1001), 2),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(whole_seconds(pause), seconds, "{pause:?}");
        }
    }
}
