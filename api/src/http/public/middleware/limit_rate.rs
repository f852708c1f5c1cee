//! Rate limits by tenant: rejections with 429, and the `RateLimit-*` headers.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use glasshouse_domain::id::TenantId;
use glasshouse_infra::principals::Principal;
use glasshouse_infra::rate_limit::{Decision, EarlyDecision, RateLimiter};
use glasshouse_infra::tokens::Tokens;
use glasshouse_telemetry::metrics::HttpMetrics;
use glasshouse_telemetry::service::events::rate_limit::{RateLimitApproached, RateLimitExceeded};
use glasshouse_telemetry::service::metrics::AdmissionMetrics;

use super::authenticate::{claims, count_call};
use super::shed_load::reject_unobserved;
use crate::http::problem::{Problem, whole_seconds};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Takes a token from the tenant's bucket, unless the lookup of the caller has taken it, and rejects the request with 429 if the
/// bucket is empty. Responses to authenticated requests have the headers `RateLimit-Limit`, `RateLimit-Remaining` and
/// `RateLimit-Reset` (seconds).
///
/// # Errors
/// When the next middleware fails.
pub async fn limit_rate(
    limiter: web::Data<RateLimiter>,
    metrics: web::Data<AdmissionMetrics>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some((tenant, decision)) = decide(&limiter, &request).await else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    if !decision.allowed {
        return Ok(reject(request, tenant, &decision, &limiter, &metrics));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    insert_headers(&mut response, &decision);
    Ok(response)
}

/// `None` for an unauthenticated request.
async fn decide(limiter: &RateLimiter, request: &ServiceRequest) -> Option<(TenantId, Decision)> {
    let (tenant, plan, early) = {
        let extensions = request.extensions();
        let principal = extensions.get::<Principal>()?;
        (principal.tenant(), principal.plan(), extensions.get::<EarlyDecision>().copied())
    };
    let decision = limiter.decide(tenant, plan, early).await;
    if decision.allowed && decision.remaining == decision.limit / 10 {
        // Logged when the threshold is crossed, not for every request below it.
        RateLimitApproached { tenant_id: &tenant, remaining: decision.remaining }.emit();
    }
    Some((tenant, decision))
}

/// Rejects the requests of a tenant whose requests are a flood before anything but the signature of their token is spent on
/// them, as [`shed_early`](super::shed_early) does: they have no span and no log record of their own, and their bodies are not
/// read.
///
/// # Errors
/// When the next middleware fails.
pub async fn reject_flood(
    limiter: web::Data<RateLimiter>,
    tokens: web::Data<Tokens>,
    metrics: web::Data<AdmissionMetrics>,
    http_metrics: web::Data<HttpMetrics>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some((tenant, decision)) = flood(&limiter, &tokens, &request) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    count_call(tenant, &request, &metrics);
    count_rejection(tenant, &limiter, &metrics);
    let mut response = reject_unobserved(request, &http_metrics, &rate_limited(&decision));
    insert_headers(&mut response, &decision);
    Ok(response)
}

/// The tenant of a request of a flood, and the decision that rejects it.
fn flood(limiter: &RateLimiter, tokens: &Tokens, request: &ServiceRequest) -> Option<(TenantId, Decision)> {
    if !request.path().starts_with("/v1/") {
        return None;
    }
    // A token that is not valid is rejected later.
    let tenant = claims(tokens, request).ok().flatten()?.tenant();
    limiter.current_rejection_of_flood(tenant).map(|decision| (tenant, decision))
}

/// Responds with 429 and counts the rejection.
pub(super) fn reject(
    request: ServiceRequest,
    tenant: TenantId,
    decision: &Decision,
    limiter: &RateLimiter,
    metrics: &AdmissionMetrics,
) -> ServiceResponse<BoxBody> {
    count_rejection(tenant, limiter, metrics);
    let mut response = request.error_response(rate_limited(decision));
    insert_headers(&mut response, decision);
    response
}

/// Counts a rejection. Logs at most once a second for each tenant, with the number of rejections since.
fn count_rejection(tenant: TenantId, limiter: &RateLimiter, metrics: &AdmissionMetrics) {
    metrics.rate_limited(&tenant.to_string());
    if let Some(refused) = limiter.count_rejection(tenant) {
        RateLimitExceeded { tenant_id: &tenant, refused }.emit();
    }
}

fn rate_limited(decision: &Decision) -> Problem {
    let detail = "the rate limit of your tenant's plan is exceeded: retry after the time in Retry-After";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(decision.reset)
}

fn insert_headers(response: &mut ServiceResponse<BoxBody>, decision: &Decision) {
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(decision.limit));
    headers.insert(REMAINING, HeaderValue::from(decision.remaining));
    headers.insert(RESET, HeaderValue::from(whole_seconds(decision.reset)));
}
