//! `/v1/users`: the users of a tenant.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use glasshouse_domain::id::UserId;
use glasshouse_domain::login::PasswordHasher;
use glasshouse_domain::user::{Role, SessionGeneration, User, UserChange, UserChangeRefused, UserError};
use glasshouse_domain::values::{Email, Password};
use glasshouse_domain::version::ExpectedVersion;
use glasshouse_infra::clock;
use glasshouse_infra::db::TenantStore;
use glasshouse_infra::passwords::HashingQueue;
use glasshouse_infra::principals::Principals;
use glasshouse_telemetry::service::events::users::UserCreated;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::lists::List;
use super::schemas;
use crate::config::Limits;
use crate::http::json::{Json, present};
use crate::http::problem::{Fields, Problem, ProblemBody};
use crate::http::public::extract::{Admin, Caller, IfMatch, PageQuery};

/// A user of the caller's tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserBody {
    id: Uuid,
    #[schema(example = "ada@acme.example")]
    email: String,
    #[schema(value_type = schemas::Role)]
    role: &'static str,
    active: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id.uuid(),
            email: user.email.as_str().to_owned(),
            role: user.role.as_str(),
            active: user.active,
            created_at: user.created_at,
        }
    }
}

fn with_etag(mut response: actix_web::HttpResponseBuilder, user: User) -> HttpResponse {
    response.insert_header(IfMatch::etag(user.version)).json(UserBody::from(user))
}

/// A new user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUserBody {
    #[schema(value_type = schemas::Email)]
    email: String,
    #[schema(value_type = schemas::Password)]
    password: SecretString,
    /// Not above your own.
    #[schema(value_type = schemas::Role)]
    role: String,
}

impl NewUserBody {
    fn parse(self) -> Result<(User, Password), Problem> {
        let mut fields = Fields::default();
        let email = fields.take("email", Email::parse(&self.email));
        let password = fields.take("password", Password::parse(self.password));
        let role = fields.take("role", parse_role(&self.role));
        let (Some(email), Some(password), Some(role)) = (email, password, role) else {
            return Err(fields.problem());
        };
        let (id, created_at) = (UserId::new(), clock::now());
        let sessions = SessionGeneration::FIRST;
        Ok((User { id, email, role, active: true, sessions, version: 1, created_at }, password))
    }
}

fn parse_role(text: &str) -> Result<Role, &'static str> {
    text.parse().map_err(|_| "must be member, admin or owner")
}

/// A partial update of a user: absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChangeBody {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = schemas::Role, required = false)]
    role: Option<String>,
    /// Whether the user may log in.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    active: Option<bool>,
}

impl UserChangeBody {
    fn parse(&self) -> Result<UserChange, Problem> {
        let role = self.role.as_deref().map(parse_role).transpose();
        let role = role.map_err(|message| Fields::only("role", message))?;
        Ok(UserChange { role, active: self.active })
    }
}

/// Show the authenticated user.
#[utoipa::path(
    tag = "users", security(("bearer" = [])),
    responses((status = 200, description = "The user", body = UserBody, headers(("ETag" = String))))
)]
#[get("/users/me")]
pub(super) async fn show_me(caller: Caller) -> Result<HttpResponse, Problem> {
    let me = caller.store().user(caller.user()).await?.ok_or(UserError::NotFound)?;
    Ok(with_etag(HttpResponse::Ok(), me))
}

/// List the users of the tenant (admin).
#[utoipa::path(
    tag = "users", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of users", body = List<UserBody>), (status = 403, body = ProblemBody))
)]
#[get("/users")]
pub(super) async fn list_users(
    Admin(caller): Admin,
    page: web::Query<PageQuery>,
    limits: web::Data<Limits>,
) -> Result<web::Json<List<UserBody>>, Problem> {
    let users = caller.store().users(page.parse(&limits)?).await?;
    Ok(web::Json(List::of(users)))
}

/// Add a user (admin).
#[utoipa::path(
    tag = "users", security(("bearer" = [])),
    responses(
        (status = 201, description = "The user", body = UserBody, headers(("ETag" = String))),
        (status = 403, body = ProblemBody),
        (status = 409, description = "Another user has the email address", body = ProblemBody),
    )
)]
#[post("/users")]
pub(super) async fn add_user(
    Admin(caller): Admin,
    Json(body): Json<NewUserBody>,
    hashing: web::Data<HashingQueue>,
) -> Result<HttpResponse, Problem> {
    let (user, password) = body.parse()?;
    if !caller.role().can_manage(user.role) {
        return Err(UserChangeRefused::RoleTooLow.into());
    }
    create_user(caller.store(), &hashing, &user, password).await?;
    Ok(with_etag(HttpResponse::Created(), user))
}

#[tracing::instrument(
    skip_all,
    fields(tenant.id = %store.tenant_id(), user.id = %user.id, user.role = user.role.as_str())
)]
async fn create_user(
    store: &TenantStore,
    hashing: &HashingQueue,
    user: &User,
    password: Password,
) -> Result<(), Problem> {
    let hash = hashing.enter()?.hash(password).await?;
    store.add_user(user, &hash).await?;
    UserCreated { tenant_id: &store.tenant_id(), user_id: &user.id, role: user.role.as_str() }.emit();
    Ok(())
}

/// Show a user (admin).
#[utoipa::path(
    tag = "users", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The user", body = UserBody, headers(("ETag" = String))),
        (status = 403, body = ProblemBody),
    )
)]
#[get("/users/{id}")]
pub(super) async fn show_user(Admin(caller): Admin, id: web::Path<Uuid>) -> Result<HttpResponse, Problem> {
    let user = caller.store().user(id.into_inner().into()).await?.ok_or(UserError::NotFound)?;
    Ok(with_etag(HttpResponse::Ok(), user))
}

/// Change a user's role, or deactivate or reactivate them (admin).
///
/// It holds from the user's next request on. No user can manage another one above their own role, and the last active owner stays one.
/// Send the `ETag` of the user as `If-Match`; after 412, read the user again.
#[utoipa::path(
    tag = "users", security(("bearer" = [])),
    params(("id" = Uuid, Path), IfMatch),
    responses(
        (status = 200, description = "The changed user", body = UserBody, headers(("ETag" = String))),
        (status = 403, body = ProblemBody),
        (status = 409, description = "The user is the last active owner", body = ProblemBody),
    )
)]
#[patch("/users/{id}")]
pub(super) async fn change_user(
    Admin(caller): Admin,
    id: web::Path<Uuid>,
    IfMatch(expected): IfMatch,
    Json(body): Json<UserChangeBody>,
    principals: web::Data<Principals>,
) -> Result<HttpResponse, Problem> {
    let user = apply_change(&caller, id.into_inner(), &expected, body.parse()?, &principals).await?;
    Ok(with_etag(HttpResponse::Ok(), user))
}

/// Deactivate a user (admin). Their orders stay.
#[utoipa::path(
    tag = "users", security(("bearer" = [])),
    params(("id" = Uuid, Path), IfMatch),
    responses(
        (status = 204, description = "The user is deactivated"),
        (status = 403, body = ProblemBody),
        (status = 409, description = "The user is the last active owner", body = ProblemBody),
    )
)]
#[delete("/users/{id}")]
pub(super) async fn deactivate_user(
    Admin(caller): Admin,
    id: web::Path<Uuid>,
    IfMatch(expected): IfMatch,
    principals: web::Data<Principals>,
) -> Result<HttpResponse, Problem> {
    let change = UserChange { role: None, active: Some(false) };
    apply_change(&caller, id.into_inner(), &expected, change, &principals).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn apply_change(
    caller: &Caller,
    id: Uuid,
    expected: &ExpectedVersion,
    change: UserChange,
    principals: &Principals,
) -> Result<User, Problem> {
    let user = caller.store().change_user(caller.role(), id.into(), expected, change).await?;
    principals.changed(&user, caller.principal()).await;
    Ok(user)
}
