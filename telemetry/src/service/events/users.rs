//! Sign-up, users and logins.

use std::fmt::Display;

use crate::service::metrics::BusinessMetrics;

crate::events! {
    "users"

    /// A tenant signed up, with its owner.
    pub struct UserRegistered<'a>: INFO "user_registered" {
        tenant_id: &'a dyn Display,
        user_id: &'a dyn Display,
    }
    unlogged { source: &'a str }
    moves BusinessMetrics {
        sign_ups: |event, sign_ups| sign_ups.with([&event.tenant_id.to_string(), event.source]).inc();
    }

    /// An admin created a user.
    pub struct UserCreated<'a>: INFO "user_created" {
        tenant_id: &'a dyn Display,
        user_id: &'a dyn Display,
        role: &'a str,
    }

    /// A user logged in.
    pub struct UserLoginSuccessful<'a>: INFO "user_login_successful" {
        tenant_id: &'a dyn Display,
        user_id: &'a dyn Display,
    }
    moves BusinessMetrics { logins: |_, logins| logins.with(["success"]).inc(); }

    /// A login was refused: tenant, address or password is wrong, or the user is deactivated. `tenant` is the slug of
    /// the attempt, if it is a valid one.
    pub struct UserLoginFailed<'a>: WARN "user_login_failed" { tenant: Option<&'a dyn Display> }
    moves BusinessMetrics { logins: |_, logins| logins.with(["failure"]).inc(); }
}
