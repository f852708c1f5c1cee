use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use glasshouse_domain::id::UserId;
use glasshouse_domain::user::Role;
use glasshouse_infra::db::{Database, TenantStore};
use glasshouse_infra::principals::Principal;

use crate::http::problem::Problem;

/// Somebody who is logged in, and the rows of their tenant: the only way a handler gets at any.
///
/// The middleware [`authenticate`](crate::http::public::middleware::authenticate) has checked the token.
#[derive(Clone, Debug)]
pub struct Caller {
    principal: Principal,
    store: TenantStore,
}

impl Caller {
    /// The user.
    pub const fn user(&self) -> UserId {
        self.principal.user
    }

    /// What they may do.
    pub const fn role(&self) -> Role {
        self.principal.role
    }

    /// The rows of their tenant.
    pub const fn store(&self) -> &TenantStore {
        &self.store
    }

    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let principal = request.extensions().get::<Principal>().copied().ok_or_else(log_in_first)?;
        let database = request.app_data::<web::Data<Database>>();
        let database = database.ok_or_else(|| Problem::internal("the application has no database"))?;
        Ok(Self { principal, store: database.tenant(principal.tenant) })
    }
}

fn log_in_first() -> Problem {
    let detail = "log in with POST /v1/auth/login and send the token as Authorization: Bearer TOKEN";
    Problem::new(StatusCode::UNAUTHORIZED, "not_logged_in", detail)
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

/// A [`Caller`] who is at least an admin of their tenant.
#[derive(Clone, Debug)]
pub struct Admin(pub Caller);

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let admin = Caller::of(request).and_then(|caller| match caller.role() {
            Role::Admin | Role::Owner => Ok(Self(caller)),
            Role::Member => {
                let detail = "only an admin or owner of the tenant may do this";
                Err(Problem::new(StatusCode::FORBIDDEN, "admin_only", detail))
            }
        });
        ready(admin)
    }
}
