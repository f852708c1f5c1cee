//! Tenants: the organizations that use the service, isolated from one another.

use time::OffsetDateTime;

use crate::id::TenantId;
use crate::text_enum::text_enum;
use crate::values::{Name, Slug};

/// An organization that uses the service. Each user, product, order and payment belongs to exactly one tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Unique, and used in all rows of the tenant.
    pub id: TenantId,
    /// The unique name with which its users log in.
    pub slug: Slug,
    /// The display name.
    pub name: Name,
    /// The subscription.
    pub plan: Plan,
    /// The time of sign-up, in UTC.
    pub created_at: OffsetDateTime,
}

text_enum! {
    /// The subscription of a tenant. The plan determines the rate limit.
    pub enum Plan: "plan" {
        /// The default, for evaluation.
        Free = "free",
        /// For teams.
        Pro = "pro",
        /// For companies.
        Enterprise = "enterprise",
    }
}
