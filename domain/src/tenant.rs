//! Tenants: the customers of the service, strictly apart from one another.

use time::OffsetDateTime;

use crate::id::TenantId;
use crate::text_enum::text_enum;
use crate::values::{Name, Slug};

/// A customer of the service. Everything else belongs to exactly one tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its unique name in logins.
    pub slug: Slug,
    /// Its name for people.
    pub name: Name,
    /// What it pays for.
    pub plan: Plan,
    /// When it signed up.
    pub created_at: OffsetDateTime,
}

text_enum! {
    /// What a tenant pays for. The plan sets its rate limit.
    pub enum Plan: "plan" {
        /// To try it out.
        Free = "free",
        /// For a team.
        Pro = "pro",
        /// For a company.
        Enterprise = "enterprise",
    }
}
