//! Authentication by bearer token.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};
use glasshouse_domain::failure::AuthorityLost;
use glasshouse_domain::id::TenantId;
use glasshouse_infra::active_users::ActiveUsers;
use glasshouse_infra::principals::{Principal, Principals};
use glasshouse_infra::rate_limit::{EarlyDecision, RateLimiter};
use glasshouse_infra::tokens::{Claims, Tokens};
use glasshouse_telemetry::metrics::UNKNOWN_ENDPOINT;
use glasshouse_telemetry::service::metrics::AdmissionMetrics;

use super::limit_rate::reject;
use crate::http::problem::Problem;

/// Authenticates the caller, and inserts its [`Principal`] into the request, and the [`EarlyDecision`] of the rate limit if there is
/// one. A request without a token passes unauthenticated: the extractors of the handler decide whether it needs a caller. A
/// request with an invalid token is rejected. A valid one of a tenant with an empty bucket, or of an inactive user who was rejected
/// often, is rejected before the user is looked up, so that a flood costs no query.
///
/// # Errors
/// When the next middleware fails.
pub async fn authenticate(
    tokens: web::Data<Tokens>,
    principals: web::Data<Principals>,
    limiter: web::Data<RateLimiter>,
    active_users: web::Data<ActiveUsers>,
    metrics: web::Data<AdmissionMetrics>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let claims = match claims(&tokens, &request) {
        Ok(Some(claims)) => claims,
        Ok(None) => return Ok(next.call(request).await?.map_into_boxed_body()),
        Err(problem) => return Ok(request.error_response(problem)),
    };
    let span = tracing::Span::current();
    span.record("tenant.id", tracing::field::display(claims.tenant()));
    span.record("user.id", tracing::field::display(claims.user()));
    count_call(claims.tenant(), &request, &metrics);
    if let Some(decision) = limiter.current_rejection(claims.tenant()) {
        return Ok(reject(request, claims.tenant(), &decision, &limiter, &metrics));
    }
    let (principal, early) = match principal(&principals, &limiter, &claims).await {
        Ok(found) => found,
        Err(problem) => {
            if problem.status_code() == StatusCode::TOO_MANY_REQUESTS {
                metrics.throttled("inactive_user");
            }
            return Ok(request.error_response(problem));
        }
    };
    span.record("user.role", principal.role().as_str());
    active_users.record(principal.user()).await;
    request.extensions_mut().insert(principal.clone());
    if let Some(early) = early {
        request.extensions_mut().insert(early);
    }
    let response = next.call(request).await?;
    principals.forget_if_refused(&principal).await;
    Ok(response.map_into_boxed_body())
}

/// Counts a request that has a valid token of this tenant.
pub(super) fn count_call(tenant: TenantId, request: &ServiceRequest, metrics: &AdmissionMetrics) {
    let endpoint = request.match_pattern();
    metrics.called_by_tenant(&tenant.to_string(), endpoint.as_deref().unwrap_or(UNKNOWN_ENDPOINT));
}

/// The claims of the request's token; `None` without a token. Several middlewares ask for them, and the signature is verified once.
pub(super) fn claims(tokens: &Tokens, request: &ServiceRequest) -> Result<Option<Claims>, Problem> {
    if let Some(claims) = request.extensions().get::<Claims>() {
        return Ok(Some(*claims));
    }
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(bearer_token).ok_or_else(not_bearer)?;
    let claims = tokens.verify(token)?;
    request.extensions_mut().insert(claims);
    Ok(Some(claims))
}

/// The token's user with its current role and plan: the token holds neither.
async fn principal(
    principals: &Principals,
    limiter: &RateLimiter,
    claims: &Claims,
) -> Result<(Principal, Option<EarlyDecision>), Problem> {
    let inactive_users = principals.inactive_users();
    if let Some(retry_after) = inactive_users.retry_after(claims.tenant(), claims.user()) {
        return Err(throttled(retry_after));
    }
    match principals.find(claims, limiter).await? {
        Some((principal, _)) if principal.sessions() != claims.sessions() => {
            Err(AuthorityLost::SessionEnded.into())
        }
        Some(found) => Ok(found),
        None => {
            inactive_users.count(claims.tenant(), claims.user()).map_err(throttled)?;
            Err(AuthorityLost::Deactivated.into())
        }
    }
}

fn throttled(retry_after: Duration) -> Problem {
    let detail = "this user is deactivated, and their token was used too often";
    Problem::too_many_attempts(detail, retry_after)
}

/// The token in the value of a header `Authorization`; `None` if its scheme is another one. The name of the scheme is
/// case-insensitive (RFC 9110, section 11.1).
#[must_use]
pub fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn not_bearer() -> Problem {
    let detail = "send the token as Authorization: Bearer TOKEN";
    Problem::new(StatusCode::UNAUTHORIZED, "token_invalid", detail)
}
