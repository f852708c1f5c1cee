//! Load shedding: requests above the concurrency limit are rejected with 503 and `Retry-After`. Health checks always pass.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::middleware::Next;
use actix_web::{Error, web};
use glasshouse_infra::tokens::Tokens;
use glasshouse_telemetry::http::RejectedRequest;
use glasshouse_telemetry::metrics::HttpMetrics;
use glasshouse_telemetry::service::events::load_shedding::LoadShed;
use glasshouse_telemetry::service::metrics::AdmissionMetrics;

use super::authenticate::claims;
use crate::http::connections::Activity;
use crate::http::problem::Problem;
use crate::http::public::concurrency::Concurrency;

/// If the client of a connection ignores `Retry-After` of a 503, its next 503 waits, whatever the reason of both: a full queue,
/// or a server that is down. Nothing is held meanwhile but the connection.
///
/// # Errors
/// When the next middleware fails.
pub async fn slow_down_retries(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let activity = request.request().conn_data::<Activity>().cloned();
    let response = next.call(request).await?.map_into_boxed_body();
    let is_rejection =
        response.status() == StatusCode::SERVICE_UNAVAILABLE && response.headers().contains_key(RETRY_AFTER);
    if let Some(activity) = activity.filter(|_| is_rejection) {
        tokio::time::sleep(activity.reject()).await;
    }
    Ok(response)
}

/// Rejects requests while the concurrency limit is reached, and those of a tenant that has its share of the places, before
/// anything but the signature of a token is spent on them: they have no span and no log record of their own, and their
/// bodies are not read. Under overload most requests may end here.
///
/// # Errors
/// When the next middleware fails.
pub async fn shed_early(
    concurrency: web::Data<Concurrency>,
    tokens: web::Data<Tokens>,
    metrics: web::Data<AdmissionMetrics>,
    http_metrics: web::Data<HttpMetrics>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(reason) = reason_to_shed(&concurrency, &tokens, &request) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    metrics.shed(reason);
    if let Some(refused) = concurrency.count_rejection(Instant::now()) {
        LoadShed { refused }.emit();
    }
    Ok(reject_unobserved(request, &http_metrics, &overloaded()))
}

/// Responds to a request that is counted, and not observed otherwise.
pub(super) fn reject_unobserved(
    request: ServiceRequest,
    metrics: &HttpMetrics,
    problem: &Problem,
) -> ServiceResponse<BoxBody> {
    let rejected = RejectedRequest::new(&request, metrics, problem.status());
    let mut response = problem.response(rejected.id());
    rejected.finish(response.headers_mut());
    request.into_response(response)
}

/// Why a request must be rejected; `None` if it need not.
fn reason_to_shed(
    concurrency: &Concurrency,
    tokens: &Tokens,
    request: &ServiceRequest,
) -> Option<&'static str> {
    if is_health_check(request) {
        return None;
    }
    if concurrency.is_full() {
        return Some("concurrency");
    }
    if !concurrency.is_crowded() {
        return None;
    }
    // A token that is not valid is rejected later.
    let claims = claims(tokens, request).ok().flatten()?;
    concurrency.is_over_share(claims.tenant()).then_some("tenant")
}

/// Takes a place of the concurrency limit for the request, which was received as a whole. If the limit was reached in the
/// meantime, the request is rejected.
///
/// # Errors
/// When the next middleware fails.
pub async fn shed_load(
    concurrency: web::Data<Concurrency>,
    metrics: web::Data<AdmissionMetrics>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if is_health_check(&request) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let Some(_place) = concurrency.enter() else {
        metrics.shed("concurrency");
        return Ok(request.error_response(overloaded()));
    };
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn is_health_check(request: &ServiceRequest) -> bool {
    request.path().starts_with("/health/")
}

pub(super) fn overloaded() -> Problem {
    Problem::unavailable("overloaded", "too many in-flight requests: retry")
}
