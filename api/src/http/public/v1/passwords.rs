//! `/v1/users/me/password`: a user changes their own password.

use actix_web::{HttpResponse, put, web};
use glasshouse_domain::password_change::{PasswordChangeError, change_password as change};
use glasshouse_domain::values::Password;
use glasshouse_infra::attempts::AttemptLimiter;
use glasshouse_infra::passwords::HashingQueue;
use glasshouse_infra::principals::Principals;
use glasshouse_telemetry::service::events::users::PasswordChanged;
use glasshouse_telemetry::service::metrics::BusinessMetrics;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::throttled_login;
use super::schemas;
use crate::http::json::Json;
use crate::http::problem::{Fields, Problem, ProblemBody};
use crate::http::public::extract::Caller;

/// A change of the own password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChangeBody {
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    #[schema(value_type = schemas::Password)]
    new_password: SecretString,
}

/// Change your password. It ends all of your sessions: log in again.
#[utoipa::path(
    tag = "users", security(("bearer" = [])),
    responses(
        (status = 204, description = "The password is changed, and all sessions of the user have ended"),
        (status = 403, description = "The current password is wrong", body = ProblemBody),
        (status = 429, description = "Too many changes with a wrong password", body = ProblemBody),
    )
)]
#[put("/users/me/password")]
pub(super) async fn change_password(
    caller: Caller,
    Json(body): Json<PasswordChangeBody>,
    attempts: web::Data<AttemptLimiter>,
    metrics: web::Data<BusinessMetrics>,
    hashing: web::Data<HashingQueue>,
    principals: web::Data<Principals>,
) -> Result<HttpResponse, Problem> {
    let new = Password::parse(body.new_password).map_err(|error| Fields::only("new_password", error))?;
    let attempt = attempts.begin_password_change(caller.user()).await;
    let attempt = attempt.map_err(|throttled| throttled_login(&throttled, &metrics))?;
    let (hasher, current) = (hashing.enter()?, &body.current_password);
    let changed = change(caller.store(), &hasher, caller.user(), current, new).await;
    if matches!(changed, Err(PasswordChangeError::WrongPassword)) {
        attempt.failed().await;
    }
    let changed = changed?;
    principals.changed(&changed, caller.principal()).await;
    PasswordChanged { tenant_id: &caller.store().tenant_id(), user_id: &changed.id }.emit();
    Ok(HttpResponse::NoContent().finish())
}
