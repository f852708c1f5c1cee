use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures_util::FutureExt;
use glasshouse_telemetry::metrics::HttpMetrics;
use glasshouse_telemetry::profiles::Label;
use glasshouse_telemetry::propagation;

use super::request_span::{REQUEST_ID, RequestId};
use crate::http::problem::Problem;

/// The span that served the request, for the caller (W3C Trace Context, levels 1 and 2).
const TRACE_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("traceparent"), HeaderName::from_static("traceresponse")];

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

/// Inside the root span: turns errors and panics into problem documents under the request's id, counts and
/// times the request, and writes one log line.
///
/// # Errors
/// With an answer inside, where a middleware further in failed without one.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let begun = Instant::now();
    let metrics = request.app_data::<web::Data<HttpMetrics>>().cloned();
    let _in_flight = metrics.as_ref().map(|metrics| metrics.begin());
    let method = request.method().as_str().to_owned();
    // A path that no route serves is not a label: there is no end of them.
    let endpoint = request.match_pattern().unwrap_or_else(|| "unknown".to_owned());
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let draining = request.app_data::<web::Data<Draining>>().is_some_and(|draining| draining.is_on());
    let answer = AssertUnwindSafe(next.call(request)).catch_unwind();
    let result = match Label::of_request(&endpoint) {
        Some(label) => label.during(answer).await,
        None => answer.await,
    };
    let result = result.unwrap_or_else(|panic| Err(Problem::internal(panic_message(&*panic)).into()));
    let answer = match result {
        Ok(response) => Ok(with_problem(response, &id)),
        Err(error) => Err(problem_response(&error, &id)),
    };
    let finish = |response: &mut HttpResponse| {
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
        let trace = propagation::traceparent().and_then(|trace| HeaderValue::from_str(&trace).ok());
        for (name, value) in TRACE_HEADERS.into_iter().zip(trace.iter().cycle()) {
            headers.insert(name, value.clone());
        }
        if draining {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        let (status_code, duration) = (response.status().as_u16(), begun.elapsed());
        if let Some(metrics) = &metrics {
            metrics.answered(&method, &endpoint, status_code, duration);
        }
        let duration_ms = duration.as_secs_f64() * 1000.0;
        tracing::info!(status_code, duration_ms, "request_completed");
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

/// The answer to a request that failed. The cause goes to the log, and nowhere else.
fn problem_response(error: &Error, request_id: &str) -> HttpResponse {
    let Some(problem) = error.as_error::<Problem>() else {
        let response = error.error_response();
        if response.status().is_server_error() {
            tracing::error!(cause = %error, "unhandled_exception");
        }
        return response;
    };
    if let Some(cause) = problem.causes() {
        tracing::error!(%problem, cause, "unhandled_exception");
    }
    problem.response(request_id)
}

/// Writes the body of an error anew, with the request's id in it.
fn with_problem<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    request_id: &str,
) -> ServiceResponse<BoxBody> {
    let rewritten = response.response().error().map(|error| problem_response(error, request_id));
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

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().copied();
    let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", message.unwrap_or("no message"))
}
