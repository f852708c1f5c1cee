//! Responses to requests that end in an error: problem documents with the id of the request.

use actix_web::http::StatusCode;
use actix_web::{Error, HttpResponse};
use glasshouse_telemetry::events::http::UnhandledException;
use glasshouse_telemetry::http::{ErrorResponses, Panicked};

use super::Problem;
use super::bare::of_error;

/// Responds to errors and panics with problem documents. Causes are logged, and never sent to the client.
#[derive(Clone, Copy, Debug)]
pub struct ProblemDocuments;

impl ErrorResponses for ProblemDocuments {
    fn log(&self, error: &Error, _status: StatusCode) {
        with_problem(error, |problem| {
            if let Some(cause) = problem.causes() {
                UnhandledException { problem: Some(problem), cause: &cause }.emit();
            }
        });
    }

    fn response(&self, error: &Error, request_id: &str) -> Option<HttpResponse> {
        Some(with_problem(error, |problem| problem.response(request_id)))
    }
}

/// Reads the error as a problem. Panics and the server errors of actix, such as app data that was not
/// registered, are internal errors.
fn with_problem<T>(error: &Error, read: impl FnOnce(&Problem) -> T) -> T {
    if let Some(problem) = error.as_error::<Problem>() {
        return read(problem);
    }
    match error.as_error::<Panicked>() {
        Some(panicked) => read(&Problem::internal(panicked.clone())),
        None => read(&of_error(error)),
    }
}
