//! Errors as clients see them: RFC 9457 `application/problem+json`.
//!
//! A [`Problem`] keeps what the client is told apart from what happened inside: the cause goes to the log,
//! and never into a body.

mod fields;
mod framework;
mod from_domain;
mod responses;

pub use fields::Fields;
pub(crate) use framework::{extractor_configs, query_config, unknown_route};
pub use responses::ProblemDocuments;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use glasshouse_telemetry::with_causes;
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not done.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What is wrong with one field of the request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, such as `items[0].quantity`.
    #[schema(example = "items[0].quantity")]
    pub field: String,
    /// What is wrong with it.
    #[schema(example = "must be a whole number from 1 to 1000000")]
    pub message: String,
}

/// The body of every error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Always `about:blank`: `code` says what happened.
    #[schema(example = "about:blank")]
    pub r#type: &'static str,
    /// The name of the status.
    #[schema(example = "Conflict")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// What happened, and what to do about it.
    pub detail: String,
    /// What happened, for programs.
    #[schema(example = "out_of_stock")]
    pub code: &'static str,
    /// Names this request in the service's logs and traces. The management interface has no such names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// What is wrong with which field, if it is about fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem with this status, a code for programs and a text for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string();
        Self { status, code, detail, errors: Vec::new(), retry_after: None, allow: None, cause: None }
    }

    /// The client sent something that cannot be understood.
    pub fn bad_request(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// There is no such thing, or it is another tenant's: nobody learns which.
    pub fn not_found(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The request does not fit the state of things.
    pub fn conflict(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// The service failed. The client learns nothing about how.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "something went wrong on our side; the request_id finds it in our logs";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal_server_error", detail).because(cause)
    }

    /// The service cannot answer now.
    pub fn unavailable(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(Duration::from_secs(1))
    }

    /// Tells the client when to try again.
    #[must_use]
    pub const fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// Tells the client which methods there are.
    #[must_use]
    pub const fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What the client is told, under the id of its request.
    pub fn response(&self, request_id: &str) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(pause) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, whole_seconds(pause)));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
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

    /// The error behind it and all the errors behind that one, for the log.
    pub fn causes(&self) -> Option<String> {
        self.cause.as_deref().map(|cause| with_causes(cause))
    }
}

/// Rounded up: a client that waits this long must not come too early.
pub(super) fn whole_seconds(pause: Duration) -> u64 {
    pause.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
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

    /// [`ProblemDocuments`] writes the body anew, with the request's id.
    fn error_response(&self) -> HttpResponse {
        self.response("")
    }
}
