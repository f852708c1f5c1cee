use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use futures_util::FutureExt;
use uuid::Uuid;

use crate::http::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Set once the process is told to stop: answers then close their connection, so that clients go elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// Whether the process is stopping.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Starts draining.
    pub fn start(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The outermost middleware: names the request, turns errors and panics into problem documents under that
/// name, and writes one log line.
///
/// # Errors
/// With an answer inside, where a middleware further in failed without one.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let begun = Instant::now();
    let line = RequestLine {
        id: request_id(&request),
        method: request.method().clone(),
        path: request.path().to_owned(),
    };
    let draining = request.app_data::<web::Data<Draining>>().is_some_and(|draining| draining.is_on());
    let result = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    let result = result.unwrap_or_else(|panic| Err(Problem::internal(panic_message(&*panic)).into()));
    let answer = match result {
        Ok(response) => Ok(with_problem(response, &line)),
        Err(error) => Err(line.problem_response(&error)),
    };
    let finish = |response: &mut HttpResponse| {
        if let Ok(id) = HeaderValue::from_str(&line.id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        if draining {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        line.log(response.status(), begun);
    };
    match answer {
        Ok(mut response) => {
            finish(response.response_mut());
            Ok(response)
        }
        Err(mut response) => {
            finish(&mut response);
            Err(InternalError::from_response("answered by the middleware", response).into())
        }
    }
}

/// What the log says about a request.
struct RequestLine {
    id: String,
    method: Method,
    path: String,
}

impl RequestLine {
    fn problem_response(&self, error: &Error) -> HttpResponse {
        let Some(problem) = error.as_error::<Problem>() else { return error.error_response() };
        if problem.causes().is_some() {
            self.log_cause(problem);
        }
        problem.response(&self.id)
    }

    fn log_cause(&self, problem: &Problem) {
        let cause = problem.causes().unwrap_or_default();
        tracing::error!(
            request_id = %self.id, method = %self.method, path = self.path, %problem, cause, "unhandled_exception"
        );
    }

    fn log(&self, status: StatusCode, begun: Instant) {
        let duration_ms = begun.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(
            request_id = %self.id,
            method = %self.method,
            path = self.path,
            status_code = status.as_u16(),
            duration_ms,
            "request_completed"
        );
    }
}

/// Writes the body of an error anew, with the request's id in it.
fn with_problem<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    line: &RequestLine,
) -> ServiceResponse<BoxBody> {
    let rewritten = response.response().error().map(|error| line.problem_response(error));
    match rewritten {
        Some(mut rewritten) => {
            // What other middleware added, such as the rate limit, stays.
            for (name, value) in response.headers() {
                if !rewritten.headers().contains_key(name) {
                    rewritten.headers_mut().append(name.clone(), value.clone());
                }
            }
            response.into_response(rewritten)
        }
        None => response.map_into_boxed_body(),
    }
}

/// The caller's own id, if it sent a decent one; a new one otherwise.
fn request_id(request: &ServiceRequest) -> String {
    let decent = |id: &&str| {
        (1..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let sent = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    sent.filter(decent).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().copied();
    let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", message.unwrap_or("no message"))
}
