use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use glasshouse_infra::principals::Principal;
use glasshouse_infra::rate_limit::{Decision, RateLimiter};
use glasshouse_infra::telemetry::metrics::HttpMetrics;

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
    let Some(decision) = decide(&request).await else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let mut response = if decision.allowed {
        next.call(request).await?.map_into_boxed_body()
    } else {
        request.error_response(refusal(&decision))
    };
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(decision.limit));
    headers.insert(REMAINING, HeaderValue::from(decision.remaining));
    headers.insert(RESET, HeaderValue::from(whole_seconds(decision.reset)));
    Ok(response)
}

/// `None` where nobody is logged in, or the limiter cannot be asked: then the request passes, because a
/// limiter that is gone must not take the service down.
async fn decide(request: &ServiceRequest) -> Option<Decision> {
    let principal = request.extensions().get::<Principal>().copied()?;
    let limiter = request.app_data::<web::Data<RateLimiter>>()?.clone();
    let decision = match limiter.take(principal.tenant, principal.plan).await {
        Ok(decision) => decision,
        Err(error) => {
            tracing::warn!(tenant_id = %principal.tenant, %error, "rate_limiter_failed");
            return None;
        }
    };
    if !decision.allowed {
        if let Some(metrics) = request.app_data::<web::Data<HttpMetrics>>() {
            metrics.rate_limited(&principal.tenant.to_string());
        }
        tracing::warn!(tenant_id = %principal.tenant, "rate_limit_exceeded");
    } else if decision.remaining == decision.limit / 10 {
        // Once on the way down, not with every request below it.
        tracing::warn!(tenant_id = %principal.tenant, remaining = decision.remaining, "rate_limit_approached");
    }
    Some(decision)
}

fn refusal(decision: &Decision) -> Problem {
    let detail = "your tenant's plan allows no more requests now: wait as long as Retry-After says";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(decision.reset)
}
