//! `/v1/tenants`: self-service sign-up.

use actix_web::{HttpResponse, post, web};
use glasshouse_domain::sign_up::{SignUp, sign_up as sign_up_tenant};
use glasshouse_domain::tenant::{Plan, Tenant};
use glasshouse_domain::values::{Email, Name, Password, Slug};
use glasshouse_infra::attempts::{AttemptLimiter, Throttled};
use glasshouse_infra::clock;
use glasshouse_infra::db::Directory;
use glasshouse_infra::passwords::HashingQueue;
use glasshouse_telemetry::service::events::users::{SignUpThrottled, UserRegistered};
use glasshouse_telemetry::service::metrics::{AdmissionMetrics, BusinessMetrics};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::schemas;
use super::users::UserBody;
use crate::http::json::{Json, object};
use crate::http::problem::{Fields, Problem, ProblemBody};
use crate::http::public::ClientAddress;

/// A new tenant and its owner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignUpBody {
    #[schema(value_type = schemas::Slug)]
    slug: String,
    #[schema(value_type = schemas::Name)]
    name: String,
    /// `free`, which is also the default. An operator gives a tenant another plan.
    #[schema(value_type = Option<schemas::SignUpPlan>)]
    plan: Option<String>,
    /// `organic`, if absent.
    #[schema(value_type = Option<schemas::Source>)]
    source: Option<String>,
    /// The first user.
    #[serde(deserialize_with = "object")]
    owner: OwnerBody,
}

/// The first user of a tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerBody {
    #[schema(value_type = schemas::Email)]
    email: String,
    #[schema(value_type = schemas::Password)]
    password: SecretString,
}

/// The acquisition channels. A fixed list, since each one is a time series.
pub(super) const SOURCES: [&str; 4] = ["organic", "referral", "ads", "partner"];

impl SignUpBody {
    fn parse(self) -> Result<(SignUp, &'static str), Problem> {
        let mut fields = Fields::default();
        let slug = fields.take("slug", Slug::parse(&self.slug));
        let name = fields.take("name", Name::parse(&self.name));
        let plan = self.plan.is_none_or(|plan| plan == Plan::Free.as_str());
        let plan =
            fields.take("plan", plan.then_some(()).ok_or("must be free: an operator sets other plans"));
        let source = self.source.as_deref().unwrap_or("organic");
        let source = SOURCES.into_iter().find(|known| *known == source);
        let source = fields.take("source", source.ok_or(format!("must be one of {}", SOURCES.join(", "))));
        let owner_email = fields.take("owner.email", Email::parse(&self.owner.email));
        let owner_password = fields.take("owner.password", Password::parse(self.owner.password));
        match (slug, name, plan, source, owner_email, owner_password) {
            (Some(slug), Some(name), Some(()), Some(source), Some(owner_email), Some(owner_password)) => {
                Ok((SignUp { slug, name, owner_email, owner_password }, source))
            }
            _ => Err(fields.problem()),
        }
    }
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TenantBody {
    id: Uuid,
    #[schema(example = "acme")]
    slug: String,
    #[schema(example = "Acme")]
    name: String,
    #[schema(value_type = schemas::Plan)]
    plan: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<Tenant> for TenantBody {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id.uuid(),
            slug: tenant.slug.to_string(),
            name: tenant.name.as_str().to_owned(),
            plan: tenant.plan.as_str(),
            created_at: tenant.created_at,
        }
    }
}

/// A tenant that has just signed up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedUpBody {
    tenant: TenantBody,
    owner: UserBody,
}

/// Sign up: a new tenant with its owner.
#[utoipa::path(
    tag = "tenants",
    responses(
        (status = 201, description = "The tenant and its owner", body = SignedUpBody),
        (status = 409, description = "The slug is taken", body = ProblemBody),
        (status = 429, description = "Too many sign-ups from this client's address", body = ProblemBody),
    )
)]
#[post("/tenants")]
pub(super) async fn sign_up(
    Json(body): Json<SignUpBody>,
    client: ClientAddress,
    attempts: web::Data<AttemptLimiter>,
    admission: web::Data<AdmissionMetrics>,
    directory: web::Data<Directory>,
    hashing: web::Data<HashingQueue>,
    metrics: web::Data<BusinessMetrics>,
) -> Result<HttpResponse, Problem> {
    let (request, source) = body.parse()?;
    let attempt = attempts.count_sign_up(&client.network()).await;
    attempt.map_err(|throttled| throttled_sign_up(&throttled, &admission))?;
    let (hasher, now) = (hashing.enter()?, clock::now());
    let (tenant, owner) = sign_up_tenant(directory.get_ref(), &hasher, request, now).await?;
    UserRegistered { tenant_id: &tenant.id, user_id: &owner.id, source }.emit(metrics.get_ref());
    Ok(HttpResponse::Created().json(SignedUpBody { tenant: tenant.into(), owner: owner.into() }))
}

fn throttled_sign_up(throttled: &Throttled, metrics: &AdmissionMetrics) -> Problem {
    metrics.throttled("sign_up");
    if let Some(refused) = throttled.unreported {
        SignUpThrottled { refused }.emit();
    }
    Problem::too_many_attempts("too many sign-ups from your address: retry later", throttled.retry_after)
}
