//! To which tenant the rows of a table belong. [`Scope`](super::super::scope::Scope) depends on nothing else of a table.

use sea_orm::EntityTrait;
use uuid::Uuid;

/// A table whose rows belong to a tenant.
pub(in crate::db) trait TenantEntity: EntityTrait {
    /// The column of the tenant's id.
    const TENANT: Self::Column;
}

/// A table of a tenant whose rows have an id.
pub(in crate::db) trait IdentifiedEntity: TenantEntity {
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
pub(in crate::db) use tenant_entity;
