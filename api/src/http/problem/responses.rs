//! Responses to requests that end in an error: problem documents with the id of the request.

use actix_web::http::StatusCode;
use actix_web::{Error, HttpResponse};
use glasshouse_telemetry::events::http::UnhandledException;
use glasshouse_telemetry::http::{ErrorResponses, Panicked};

use super::Problem;

/// Responds to errors and panics with problem documents. Causes are logged, and never sent to the client.
#[derive(Clone, Copy, Debug)]
pub struct ProblemDocuments;

impl ErrorResponses for ProblemDocuments {
    fn log(&self, error: &Error, status: StatusCode) {
        with_problem(error, status, |problem| {
            if let Some(cause) = problem.causes() {
                UnhandledException { problem: Some(problem), cause: &cause }.emit();
            }
        });
    }

    fn response(&self, error: &Error, request_id: &str) -> Option<HttpResponse> {
        let status = error.as_response_error().status_code();
        with_problem(error, status, |problem| problem.response(request_id))
    }
}

/// Reads the error as a problem. Panics and the server errors of actix, such as app data that was not
/// registered, are internal errors. The client errors of actix are no problems, and stay as they are.
fn with_problem<T>(error: &Error, status: StatusCode, read: impl FnOnce(&Problem) -> T) -> Option<T> {
    if let Some(problem) = error.as_error::<Problem>() {
        return Some(read(problem));
    }
    if let Some(panicked) = error.as_error::<Panicked>() {
        return Some(read(&Problem::internal(panicked.clone())));
    }
    status.is_server_error().then(|| read(&Problem::internal(error.to_string())))
}
