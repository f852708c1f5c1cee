//! Sign-up, users and logins.

use std::error::Error;
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

    /// An operator gave a tenant this plan.
    pub struct TenantPlanChanged<'a>: INFO "tenant_plan_changed" {
        tenant_id: &'a dyn Display,
        plan: &'a str,
    }

    /// An admin created a user.
    pub struct UserCreated<'a>: INFO "user_created" {
        tenant_id: &'a dyn Display,
        user_id: &'a dyn Display,
        role: &'a str,
    }

    /// A user changed their password, which ended all of their sessions.
    pub struct PasswordChanged<'a>: INFO "password_changed" {
        tenant_id: &'a dyn Display,
        user_id: &'a dyn Display,
    }

    /// A user set a new password with the token of a password reset, which ended all of their sessions.
    pub struct PasswordReset<'a>: INFO "password_reset" {
        tenant_id: &'a dyn Display,
        user_id: &'a dyn Display,
    }

    /// A user logged in.
    pub struct UserLoginSuccessful<'a>: INFO "user_login_successful" {
        tenant_id: &'a dyn Display,
        user_id: &'a dyn Display,
    }
    moves BusinessMetrics { logins: |_, logins| logins.with(["success"]).inc(); }

    /// A user logged in, and their password was hashed again, because its hash had another cost than the current one.
    pub struct PasswordRehashed<'a>: INFO "password_rehashed" {
        tenant_id: &'a dyn Display,
        user_id: &'a dyn Display,
    }

    /// As `password_rehashed`, but the new hash could not be made or stored. The user's next login tries again.
    pub struct PasswordRehashFailed<'a>: WARN "password_rehash_failed" {
        tenant_id: &'a dyn Display,
        user_id: &'a dyn Display,
        error: &'a (dyn Error + 'static),
    }

    /// A login was refused: tenant, address or password is wrong, or the user is deactivated. `tenant` is the slug of
    /// the attempt, if it is a valid one.
    pub struct UserLoginFailed<'a>: WARN "user_login_failed" { tenant: Option<&'a dyn Display> }
    moves BusinessMetrics { logins: |_, logins| logins.with(["failure"]).inc(); }

    /// Logins were throttled without a check of their password, because too many had failed: `refused` of them since the
    /// last such record, by the limit `limit` (login_account_and_address, login_account, login_address). At most one
    /// record a second for each limit and process.
    pub struct LoginThrottled<'a>: WARN "login_throttled" { limit: &'a str, refused: u64 }

    /// Sign-ups were throttled, because there were too many from an address: `refused` of them since the last such record.
    /// At most one record a second for each process.
    pub struct SignUpThrottled: WARN "sign_up_throttled" { refused: u64 }

    /// Requests to reset a password were throttled: `refused` of them since the last such record, by the limit `limit`
    /// (password_reset_account, password_reset_address). At most one record a second for each limit and process.
    pub struct PasswordResetThrottled<'a>: WARN "password_reset_throttled" { limit: &'a str, refused: u64 }

    /// Redis failed, so this process used its own counts of failed logins, sign-ups and requests to reset a password.
    pub struct AttemptLimiterFailed<'a>: WARN "attempt_limiter_failed" { error: &'a dyn Display }
}
