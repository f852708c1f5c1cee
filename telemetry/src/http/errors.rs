//! Requests that end in an error or a panic: what is logged, and what the client gets.

use std::any::Any;

use actix_web::http::StatusCode;
use actix_web::{Error, HttpResponse, ResponseError};

use crate::events::http::UnhandledException;

/// How a service logs and answers requests that end in an error. [`OwnResponses`] is the default.
pub trait ErrorResponses: Clone + 'static {
    /// Logs the cause of an error whose response has this status. A record at level `ERROR` becomes an error event.
    /// By default, errors of the server are logged, and those of the client are not.
    fn log(&self, error: &Error, status: StatusCode) {
        if status.is_server_error() {
            UnhandledException { problem: None, cause: error }.emit();
        }
    }

    /// The response to the request with this id; `None`, which is the default, for the error's own.
    fn response(&self, _error: &Error, _request_id: &str) -> Option<HttpResponse> {
        None
    }
}

/// Each error makes its own response ([`ResponseError::error_response`]).
#[derive(Clone, Copy, Debug)]
pub struct OwnResponses;

impl ErrorResponses for OwnResponses {}

/// A handler or a middleware panicked. The client gets a 500 without the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a handler panicked: {message}")]
pub struct Panicked {
    message: String,
}

impl Panicked {
    pub(super) fn new(payload: &(dyn Any + Send)) -> Self {
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self { message: message.unwrap_or("no message").to_owned() }
    }
}

impl ResponseError for Panicked {
    fn error_response(&self) -> HttpResponse {
        HttpResponse::InternalServerError().body("Internal Server Error")
    }
}
