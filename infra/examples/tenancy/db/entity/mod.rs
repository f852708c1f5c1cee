//! The tables.

#[path = "../../../../src/db/entity/outbox_message.rs"]
pub(super) mod outbox_message;
#[path = "../../../../src/db/entity/ownership.rs"]
mod ownership;

pub(super) mod order;

pub(super) use ownership::{IdentifiedEntity, TenantEntity, TenantQueries, tenant_entity};
