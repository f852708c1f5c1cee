//! The response to a request that ends in an error: a problem document under the request's id.

use actix_web::http::StatusCode;
use actix_web::{Error, HttpResponse};
use glasshouse_telemetry::events::http::UnhandledException;
use glasshouse_telemetry::http::{ErrorResponses, Panicked};

use super::Problem;

/// Answers errors and panics with problem documents. Causes go to the log, and nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct ProblemDocuments;

impl ErrorResponses for ProblemDocuments {
    fn log(&self, error: &Error, status: StatusCode) {
        let logged = with_problem(error, |problem| {
            if let Some(cause) = problem.causes() {
                UnhandledException { problem: Some(problem), cause: &cause }.emit();
            }
        });
        if logged.is_none() && status.is_server_error() {
            UnhandledException { problem: None, cause: error }.emit();
        }
    }

    fn response(&self, error: &Error, request_id: &str) -> Option<HttpResponse> {
        with_problem(error, |problem| problem.response(request_id))
    }
}

/// Reads the error as a problem, if it is one. A panic is an internal error.
fn with_problem<T>(error: &Error, read: impl FnOnce(&Problem) -> T) -> Option<T> {
    if let Some(panicked) = error.as_error::<Panicked>() {
        return Some(read(&Problem::internal(panicked.clone())));
    }
    error.as_error::<Problem>().map(read)
}
