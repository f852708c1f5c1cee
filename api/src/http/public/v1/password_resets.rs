//! `/v1/auth/password-reset`: a user who has forgotten their password gets a token, and sets a new one with it.

use actix_web::{HttpResponse, post, web};
use glasshouse_domain::password_reset::{PasswordResetError, reset_password as reset};
use glasshouse_domain::values::{Email, Password, ResetToken, Slug};
use glasshouse_infra::attempts::{AttemptLimiter, Throttled};
use glasshouse_infra::db::Directory;
use glasshouse_infra::passwords::HashingQueue;
use glasshouse_infra::principals::Principals;
use glasshouse_telemetry::service::events::users::{PasswordReset, PasswordResetThrottled};
use glasshouse_telemetry::service::metrics::{AdmissionMetrics, BusinessMetrics};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::throttled_login;
use super::schemas;
use crate::http::json::Json;
use crate::http::problem::{Fields, Problem, ProblemBody};
use crate::http::public::ClientAddress;

/// Whose password to reset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordResetRequestBody {
    /// The tenant's slug.
    #[schema(example = "acme")]
    tenant: String,
    /// The user's email address.
    #[schema(example = "ada@acme.example")]
    email: String,
}

/// A new password, and the token that allows it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordResetBody {
    #[schema(value_type = schemas::Slug)]
    tenant: String,
    /// The token that was sent to the user.
    #[schema(value_type = String, format = Password, example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    token: SecretString,
    #[schema(value_type = schemas::Password)]
    new_password: SecretString,
}

impl PasswordResetBody {
    fn parse(self) -> Result<(Slug, ResetToken, Password), Problem> {
        let mut fields = Fields::default();
        let tenant = fields.take("tenant", Slug::parse(&self.tenant));
        let new = fields.take("new_password", Password::parse(self.new_password));
        match (tenant, new) {
            (Some(tenant), Some(new)) => Ok((tenant, ResetToken::presented(self.token), new)),
            _ => Err(fields.problem()),
        }
    }
}

/// Request a password reset: a token is sent to the address, if it belongs to a user of the tenant.
///
/// The token can be used once, within 30 minutes, until the password changes in another way. The response is the same for every
/// address, and as fast, so that a response does not reveal who is a user. In the demo the message is a file in `glasshouse-data/mail`; the token is
/// its last line.
#[utoipa::path(
    tag = "auth",
    responses(
        (status = 202, description = "The same for every address: it does not show whose it is"),
        (status = 429, description = "Too many requests for this account or from this client's address", body = ProblemBody),
    )
)]
#[post("/auth/password-reset/request")]
pub(super) async fn request_password_reset(
    Json(body): Json<PasswordResetRequestBody>,
    client: ClientAddress,
    attempts: web::Data<AttemptLimiter>,
    admission: web::Data<AdmissionMetrics>,
    directory: web::Data<Directory>,
) -> Result<HttpResponse, Problem> {
    // An invalid slug or address belongs to no user: the same response as for an unknown one.
    let account = Slug::parse(&body.tenant).ok().zip(Email::parse_existing(&body.email).ok());
    let attempt = attempts.count_password_reset(account.as_ref(), &client.network()).await;
    attempt.map_err(|throttled| throttled_request(&throttled, &admission))?;
    if let Some((tenant, email)) = account {
        directory.request_password_reset(&tenant, email).await?;
    }
    Ok(HttpResponse::Accepted().finish())
}

/// Reset a password with the token that was sent. It ends all sessions of the user: log in again.
///
/// The example has a token of the right form, which is rejected with 403: replace it by the one of the message.
#[utoipa::path(
    tag = "auth",
    responses(
        (status = 204, description = "The password is set, and all sessions of the user have ended"),
        (status = 403, description = "The token is wrong, was used or has expired", body = ProblemBody),
        (status = 429, description = "Too many wrong tokens or passwords from this client's address", body = ProblemBody),
    )
)]
#[post("/auth/password-reset/confirm")]
pub(super) async fn reset_password(
    Json(body): Json<PasswordResetBody>,
    client: ClientAddress,
    attempts: web::Data<AttemptLimiter>,
    metrics: web::Data<BusinessMetrics>,
    directory: web::Data<Directory>,
    hashing: web::Data<HashingQueue>,
    principals: web::Data<Principals>,
) -> Result<HttpResponse, Problem> {
    let (tenant, token, new) = body.parse()?;
    let attempt = attempts.begin_login(None, &client.network()).await;
    let attempt = attempt.map_err(|throttled| throttled_login(&throttled, &metrics))?;
    let hasher = hashing.enter()?;
    let done = reset(directory.get_ref(), &hasher, &tenant, &token, new).await;
    if matches!(done, Err(PasswordResetError::WrongToken)) {
        attempt.failed().await;
    }
    let (tenant_id, user_id) = done?;
    principals.forget(tenant_id, user_id).await;
    PasswordReset { tenant_id: &tenant_id, user_id: &user_id }.emit();
    Ok(HttpResponse::NoContent().finish())
}

fn throttled_request(throttled: &Throttled, metrics: &AdmissionMetrics) -> Problem {
    metrics.throttled("password_reset");
    if let Some(refused) = throttled.unreported {
        PasswordResetThrottled { limit: throttled.limit, refused }.emit();
    }
    Problem::too_many_attempts("too many requests to reset a password: retry later", throttled.retry_after)
}
