//! The tables.

#[path = "../../../../src/db/entity/outbox_message.rs"]
pub(super) mod outbox_message;
#[path = "../../../../src/db/entity/ownership.rs"]
#[allow(dead_code, reason = "this service has no pages, and no joins")]
mod ownership;

pub(super) mod order;

pub(super) use ownership::{IdentifiedEntity, TenantEntity, TenantQueries, tenant_entity};
