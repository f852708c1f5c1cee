use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use glasshouse_infra::active_users::ActiveUsers;
use glasshouse_infra::principals::{Principal, Principals};
use glasshouse_infra::telemetry::metrics::HttpMetrics;
use glasshouse_infra::tokens::Tokens;

use crate::http::problem::Problem;

/// Finds out who is calling. A request without a token goes on as nobody; the extractors of the handlers
/// decide whether that is enough. A token that is not good is refused here.
///
/// # Errors
/// When the next middleware fails.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match principal(&request).await {
        Ok(Some(principal)) => {
            let span = tracing::Span::current();
            span.record("tenant.id", tracing::field::display(principal.tenant));
            span.record("user.id", tracing::field::display(principal.user));
            span.record("user.role", principal.role.as_str());
            if let Some(metrics) = request.app_data::<web::Data<HttpMetrics>>() {
                let endpoint = request.match_pattern().unwrap_or_else(|| "unknown".to_owned());
                metrics.called_by_tenant(&principal.tenant.to_string(), &endpoint);
            }
            if let Some(active_users) = request.app_data::<web::Data<ActiveUsers>>() {
                active_users.see(principal.user).await;
            }
            request.extensions_mut().insert(principal);
        }
        Ok(None) => {}
        Err(problem) => return Ok(request.error_response(problem)),
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

async fn principal(request: &ServiceRequest) -> Result<Option<Principal>, Problem> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(None) };
    let (Some(tokens), Some(principals)) =
        (request.app_data::<web::Data<Tokens>>(), request.app_data::<web::Data<Principals>>())
    else {
        return Err(Problem::internal("the application has no authentication"));
    };
    let token = value.to_str().ok().and_then(bearer_token).ok_or_else(not_bearer)?;
    let claims = tokens.check(token)?;
    let principal = principals.find(claims.tenant, claims.sub).await?;
    let gone =
        || Problem::new(StatusCode::UNAUTHORIZED, "user_inactive", "this user may not log in any more");
    principal.map(Some).ok_or_else(gone)
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
