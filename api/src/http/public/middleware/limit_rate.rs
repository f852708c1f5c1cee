use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use glasshouse_domain::id::TenantId;
use glasshouse_infra::principals::Principal;
use glasshouse_infra::rate_limit::{Decision, RateLimiter};
use glasshouse_telemetry::metrics::HttpMetrics;

use crate::http::problem::{Problem, whole_seconds};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Takes a token out of the tenant's bucket, and refuses the request if there is none. Every answer to
/// somebody who is logged in says how much is left, in the headers `RateLimit-Limit`, `-Remaining` and
/// `-Reset` (seconds).
///
/// # Errors
/// When the next middleware fails.
pub async fn limit_rate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some((tenant, decision)) = decide(&request).await else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    if !decision.allowed {
        return Ok(refuse(request, tenant, &decision));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    tell_what_is_left(&mut response, &decision);
    Ok(response)
}

/// The refusal of the tenant's last request, if its bucket cannot have another token yet. For
/// [`authenticate`](super::authenticate), which asks before it looks anything up.
pub(super) fn standing_refusal(request: &ServiceRequest, tenant: TenantId) -> Option<Decision> {
    request.app_data::<web::Data<RateLimiter>>()?.standing_refusal(tenant)
}

/// `None` where nobody is logged in, or the limiter cannot be asked: then the request passes, because a
/// limiter that is gone must not take the service down.
async fn decide(request: &ServiceRequest) -> Option<(TenantId, Decision)> {
    let Principal { tenant, plan, .. } = request.extensions().get::<Principal>().copied()?;
    let limiter = request.app_data::<web::Data<RateLimiter>>()?.clone();
    let decision = match limiter.take(tenant, plan).await {
        Ok(decision) => decision,
        Err(error) => {
            tracing::warn!(tenant_id = %tenant, %error, "rate_limiter_failed");
            return None;
        }
    };
    if decision.allowed && decision.remaining == decision.limit / 10 {
        // Once on the way down, not with every request below it.
        tracing::warn!(tenant_id = %tenant, remaining = decision.remaining, "rate_limit_approached");
    }
    Some((tenant, decision))
}

/// Answers 429, counts it, and tells of it once in a while.
pub(super) fn refuse(
    request: ServiceRequest,
    tenant: TenantId,
    decision: &Decision,
) -> ServiceResponse<BoxBody> {
    if let Some(metrics) = request.app_data::<web::Data<HttpMetrics>>() {
        metrics.rate_limited(&tenant.to_string());
    }
    let limiter = request.app_data::<web::Data<RateLimiter>>();
    if let Some(refused) = limiter.and_then(|limiter| limiter.count_refusal(tenant)) {
        tracing::warn!(tenant_id = %tenant, refused, "rate_limit_exceeded");
    }
    let detail = "your tenant's plan allows no more requests now: wait as long as Retry-After says";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
    let mut response = request.error_response(problem.retry_after(decision.reset));
    tell_what_is_left(&mut response, decision);
    response
}

fn tell_what_is_left(response: &mut ServiceResponse<BoxBody>, decision: &Decision) {
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(decision.limit));
    headers.insert(REMAINING, HeaderValue::from(decision.remaining));
    headers.insert(RESET, HeaderValue::from(whole_seconds(decision.reset)));
}
