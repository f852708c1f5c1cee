//! `/v1/auth`: login.

use actix_web::{post, web};
use glasshouse_domain::login::{LoggedIn, LoginError, log_in as check_credentials};
use glasshouse_domain::values::{Email, Slug};
use glasshouse_infra::attempts::{AttemptLimiter, LoginAttempt, Throttled};
use glasshouse_infra::clock;
use glasshouse_infra::db::Directory;
use glasshouse_infra::passwords::{Argon2Hasher, HashingQueue};
use glasshouse_infra::tokens::Tokens;
use glasshouse_telemetry::service::events::users::{
    LoginThrottled, PasswordRehashFailed, PasswordRehashed, UserLoginFailed, UserLoginSuccessful,
};
use glasshouse_telemetry::service::metrics::BusinessMetrics;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::public::ClientAddress;

/// The credentials of a login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginBody {
    /// The tenant's slug.
    #[schema(example = "acme")]
    tenant: String,
    /// The user's email address.
    #[schema(example = "ada@acme.example")]
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// A token for the header `Authorization: Bearer TOKEN`.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenBody {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// The lifetime of the token, in seconds.
    #[schema(example = 900)]
    expires_in: u64,
}

/// Log in: an access token for a user of a tenant.
///
/// The same 401 for an unknown tenant, an unknown address and a wrong password. There is no refresh token: log in again when the
/// token has expired. A change or reset of the password ends all tokens of the user.
#[utoipa::path(
    tag = "auth",
    responses(
        (status = 200, description = "The token", body = TokenBody),
        (status = 401, description = "The tenant, the email address or the password is wrong", body = ProblemBody),
        (status = 429, description = "Too many logins of this account or from this client's address failed", body = ProblemBody),
    )
)]
#[post("/auth/login")]
pub(super) async fn log_in(
    Json(body): Json<LoginBody>,
    client: ClientAddress,
    attempts: web::Data<AttemptLimiter>,
    directory: web::Data<Directory>,
    hashing: web::Data<HashingQueue>,
    tokens: web::Data<Tokens>,
    metrics: web::Data<BusinessMetrics>,
) -> Result<web::Json<TokenBody>, Problem> {
    let LoginBody { tenant, email, password } = body;
    // An invalid slug or address belongs to no user: the same response as for an unknown one.
    let account = Slug::parse(&tenant).ok().zip(Email::parse_existing(&email).ok());
    let attempt = attempts.begin_login(account.as_ref(), &client.network()).await;
    let attempt = attempt.map_err(|throttled| throttled_login(&throttled, &metrics))?;
    let Some((tenant, email)) = account else {
        attempt.failed().await;
        UserLoginFailed { tenant: None }.emit(metrics.get_ref());
        return Err(LoginError::WrongCredentials.into());
    };
    let hasher = hashing.enter()?;
    let login = check_credentials(directory.get_ref(), &hasher, &tenant, &email, password).await;
    report(&login, attempt, &tenant, &metrics).await;
    let token = tokens.issue(&login?, clock::now()).map_err(Problem::internal)?;
    Ok(web::Json(TokenBody {
        access_token: token.expose_secret().to_owned(),
        token_type: "Bearer",
        expires_in: tokens.lifetime().as_secs(),
    }))
}

/// The response to a password above a limit of guesses.
pub(super) fn throttled_login(throttled: &Throttled, metrics: &BusinessMetrics) -> Problem {
    metrics.login_throttled();
    if let Some(refused) = throttled.unreported {
        LoginThrottled { limit: throttled.limit, refused }.emit();
    }
    Problem::too_many_attempts("too many failed logins: retry later", throttled.retry_after)
}

/// Reports the result of a login. One whose password could not be checked has none.
async fn report(
    login: &Result<LoggedIn<Directory, Argon2Hasher>, LoginError>,
    attempt: LoginAttempt,
    tenant: &Slug,
    metrics: &BusinessMetrics,
) {
    match login {
        Ok(login) => {
            attempt.succeeded().await;
            log_success(login, metrics);
        }
        Err(LoginError::WrongCredentials) => {
            attempt.failed().await;
            UserLoginFailed { tenant: Some(tenant) }.emit(metrics);
        }
        Err(LoginError::Hashing(_) | LoginError::Store(_)) => {}
    }
}

fn log_success(login: &LoggedIn<Directory, Argon2Hasher>, metrics: &BusinessMetrics) {
    let (tenant_id, user_id) = (&login.tenant(), &login.user());
    UserLoginSuccessful { tenant_id, user_id }.emit(metrics);
    match login.rehash() {
        None => {}
        Some(Ok(())) => PasswordRehashed { tenant_id, user_id }.emit(),
        Some(Err(error)) => PasswordRehashFailed { tenant_id, user_id, error }.emit(),
    }
}
