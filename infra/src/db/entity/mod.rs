//! The tables as sea-orm entities, and what all of them share. They are private to `db`, which returns types of the
//! domain. A table that a single module uses is declared in that module.

pub(super) mod order;
pub(super) mod order_item;
pub(super) mod outbox_message;
pub(super) mod payment;
pub(super) mod product;
pub(super) mod tenant;
pub(super) mod user;

use glasshouse_domain::failure::Corrupt;
use glasshouse_domain::values::{Currency, Money};
use sea_orm::EntityTrait;
use uuid::Uuid;

/// A table whose rows belong to a tenant.
pub(super) trait TenantEntity: EntityTrait {
    /// The column of the tenant's id.
    const TENANT: Self::Column;
}

/// A table of a tenant whose rows have an id.
pub(super) trait IdentifiedEntity: TenantEntity {
    /// The column of the row's id.
    const ID: Self::Column;

    /// The row's id.
    fn id(row: &Self::Model) -> Uuid;
}

/// Implements [`TenantEntity`] and, for rows with an id, [`IdentifiedEntity`]: names the columns of both.
macro_rules! tenant_entity {
    (tenant: $tenant:ident) => {
        impl $crate::db::entity::TenantEntity for Entity {
            const TENANT: Column = Column::$tenant;
        }
    };
    (tenant: $tenant:ident, id: $id:ident) => {
        $crate::db::entity::tenant_entity!(tenant: $tenant);

        impl $crate::db::entity::IdentifiedEntity for Entity {
            const ID: Column = Column::$id;

            fn id(row: &Model) -> Uuid {
                row.id
            }
        }
    };
}
pub(super) use tenant_entity;

/// Converts the two columns of an amount.
pub(super) fn money(minor: i64, currency: &str) -> Result<Money, Corrupt> {
    match Currency::stored(currency) {
        Some(currency) => Ok(Money::stored(minor, currency)),
        None => Err(Corrupt { what: "currency", value: currency.to_owned() }),
    }
}
