//! Bodies of requests: received as a whole, before a request takes a place of the concurrency limit. A body has a
//! deadline, a maximum size, which also holds while it is inflated, and a share of the memory for all bodies.

mod inflate;
mod memory;

pub use inflate::{InflateError, Inflater};
pub use memory::BodyMemory;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use futures_util::StreamExt;
use glasshouse_telemetry::http::RequestClock;
use glasshouse_telemetry::service::metrics::AdmissionMetrics;

use self::memory::BodyShare;
use super::CODINGS;
use super::connections::{Activity, sleep_and_catch_up};
use super::problem::Problem;
use crate::config::BodyLimits;

/// How the bodies of a server are received.
#[derive(Clone, Debug)]
pub struct Bodies {
    /// Limits of each body.
    pub limits: BodyLimits,
    /// The memory of all bodies.
    pub memory: BodyMemory,
    /// Counts the requests that are shed because the memory is used up, on the public server.
    pub metrics: Option<AdmissionMetrics>,
}

/// Receives the body of a request, inflates it, and only then calls the next service, so that a client that sends
/// slowly or never ends takes nothing from others: it gets a 408. A body that is too large gets a 413, and one in an
/// unknown content coding a 415.
///
/// # Errors
/// When the next middleware fails.
pub async fn receive_body(
    bodies: web::Data<Bodies>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let payload = request.take_payload();
    if matches!(payload, Payload::None) || !has_body(&request) {
        begin_processing(&request);
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let limits = bodies.limits;
    let (share, must_give_up) = bodies.memory.begin();
    let received = tokio::select! {
        biased;
        received = receive(&request, payload, &limits, &share) => received,
        _ = must_give_up => Err(no_room()),
        () = sleep_and_catch_up(limits.timeout) => Err(timed_out(&limits)),
    };
    RequestClock::restart(&request);
    match received {
        Ok(body) => {
            share.complete();
            begin_processing(&request);
            replace_body(&mut request, body);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(problem) => Ok(refuse(request, problem, &bodies)),
    }
}

/// From now on, the connection makes no room for others.
fn begin_processing(request: &ServiceRequest) {
    if let Some(activity) = request.request().conn_data::<Activity>() {
        activity.begin_processing();
    }
}

fn refuse(request: ServiceRequest, problem: Problem, bodies: &Bodies) -> ServiceResponse<BoxBody> {
    let status = problem.status();
    if let (StatusCode::SERVICE_UNAVAILABLE, Some(metrics)) = (status, &bodies.metrics) {
        metrics.shed("memory");
    }
    let mut response = request.error_response(problem);
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        // RFC 9110, section 15.5.16.
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(CODINGS));
    }
    response
}

async fn receive(
    request: &ServiceRequest,
    mut payload: Payload,
    limits: &BodyLimits,
    share: &BodyShare,
) -> Result<Vec<u8>, Problem> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Problem::bad_request("unreadable_body", format!("cannot read the body: {error}"))
    };
    let refused = |error| match error {
        InflateError::TooLarge => Problem::body_too_large(limits.bytes),
        InflateError::Malformed(error) => unreadable(&error),
    };
    let mut body = Inflater::new(request.headers(), limits.bytes).ok_or_else(unsupported_coding)?;
    if announced_length(request).is_some_and(|length| length > limits.bytes as u64) {
        return Err(Problem::body_too_large(limits.bytes));
    }
    while let Some(part) = payload.next().await {
        body.write(&part.map_err(|error| unreadable(&error))?).map_err(refused)?;
        share.resize(body.memory()).map_err(|_| no_room())?;
    }
    let body = body.finish().map_err(refused)?;
    share.resize(body.len()).map_err(|_| no_room())?;
    Ok(body)
}

/// Only these headers announce a body (RFC 9112, section 6.3). actix takes what follows the head of CONNECT and of a
/// WebSocket handshake, both of which are refused, for a body without end.
fn has_body(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    (headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING))
        && request.method() != Method::CONNECT
}

fn announced_length(request: &ServiceRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Gives the request its inflated body, as if it had been sent like that.
fn replace_body(request: &mut ServiceRequest, body: Vec<u8>) {
    let headers = request.headers_mut();
    headers.remove(CONTENT_ENCODING);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    request.set_payload(body.into());
}

fn timed_out(limits: &BodyLimits) -> Problem {
    let detail = format!("the body did not arrive within {:?}: send it faster", limits.timeout);
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timed_out", detail)
}

fn no_room() -> Problem {
    Problem::unavailable("overloaded", "too many bodies are being received: retry")
}

fn unsupported_coding() -> Problem {
    let detail = format!("the content coding of the body is not supported: send it plain, or as {CODINGS}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", detail)
}
