use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use glasshouse_infra::active_users::ActiveUsers;
use glasshouse_infra::principals::{Principal, Principals};
use glasshouse_infra::tokens::{Claims, Tokens};
use glasshouse_telemetry::metrics::HttpMetrics;

use super::limit_rate::{refuse, standing_refusal};
use crate::http::problem::Problem;

/// Finds out who is calling. A request without a token goes on as nobody; the extractors of the handlers
/// decide whether that is enough. A token that is not good is refused here, and so is a good one of a tenant that has no
/// requests left, before anything is looked up.
///
/// # Errors
/// When the next middleware fails.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let claims = match claims(&request) {
        Ok(Some(claims)) => claims,
        Ok(None) => return Ok(next.call(request).await?.map_into_boxed_body()),
        Err(problem) => return Ok(request.error_response(problem)),
    };
    let span = tracing::Span::current();
    span.record("tenant.id", tracing::field::display(claims.tenant));
    span.record("user.id", tracing::field::display(claims.sub));
    if let Some(metrics) = request.app_data::<web::Data<HttpMetrics>>() {
        let endpoint = request.match_pattern().unwrap_or_else(|| "unknown".to_owned());
        metrics.called_by_tenant(&claims.tenant.to_string(), &endpoint);
    }
    if let Some(decision) = standing_refusal(&request, claims.tenant) {
        return Ok(refuse(request, claims.tenant, &decision));
    }
    let principal = match principal(&request, &claims).await {
        Ok(principal) => principal,
        Err(problem) => return Ok(request.error_response(problem)),
    };
    span.record("user.role", principal.role.as_str());
    if let Some(active_users) = request.app_data::<web::Data<ActiveUsers>>() {
        active_users.see(principal.user).await;
    }
    request.extensions_mut().insert(principal);
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// What the request's token says, if it has one.
fn claims(request: &ServiceRequest) -> Result<Option<Claims>, Problem> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(None) };
    let tokens = request.app_data::<web::Data<Tokens>>().ok_or_else(no_authentication)?;
    let token = value.to_str().ok().and_then(bearer_token).ok_or_else(not_bearer)?;
    Ok(Some(tokens.check(token)?))
}

/// Who that is now.
async fn principal(request: &ServiceRequest, claims: &Claims) -> Result<Principal, Problem> {
    let principals = request.app_data::<web::Data<Principals>>().ok_or_else(no_authentication)?;
    let gone =
        || Problem::new(StatusCode::UNAUTHORIZED, "user_inactive", "this user may not log in any more");
    principals.find(claims.tenant, claims.sub).await?.ok_or_else(gone)
}

fn no_authentication() -> Problem {
    Problem::internal("the application has no authentication")
}

/// The scheme's name is case-insensitive (RFC 9110, section 11.1).
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn not_bearer() -> Problem {
    let detail = "send the token as Authorization: Bearer TOKEN";
    Problem::new(StatusCode::UNAUTHORIZED, "token_invalid", detail)
}
