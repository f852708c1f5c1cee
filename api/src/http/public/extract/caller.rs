//! Authority of a request: who makes it, and the rows that it may reach.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use glasshouse_domain::id::UserId;
use glasshouse_domain::user::Role;
use glasshouse_infra::db::TenantStore;
use glasshouse_infra::principals::Principal;

use crate::http::problem::Problem;

/// The authenticated user who makes the request, and the rows of their tenant: the only way of a handler to any
/// row.
///
/// The middleware [`authenticate`](crate::http::public::middleware::authenticate) has verified the token.
#[derive(Clone, Debug)]
pub struct Caller(Principal);

impl Caller {
    /// The user.
    pub const fn user(&self) -> UserId {
        self.0.user()
    }

    /// The user's role.
    pub const fn role(&self) -> Role {
        self.0.role()
    }

    /// The rows of the user's tenant.
    pub const fn store(&self) -> &TenantStore {
        self.0.store()
    }

    /// The user with their role and the plan of their tenant.
    pub const fn principal(&self) -> &Principal {
        &self.0
    }

    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        request.extensions().get::<Principal>().cloned().map(Self).ok_or_else(log_in_first)
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

/// A [`Caller`] with the role admin or owner.
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
