//! To which tenant the rows of a table belong, and the queries for the rows of one tenant.
//! [`Scope`](super::super::scope::Scope) depends on nothing else of a table.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Related, Select, SelectTwoRequired};
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

/// Something that reads the rows of one tenant. Its queries start here.
pub(in crate::db) trait TenantQueries {
    /// The id of the tenant, in a statement.
    fn tenant_id(&self) -> Expr;

    /// A query over this tenant's rows.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the queries of an entity meet their tenant"
    )]
    fn find<E: TenantEntity>(&self) -> Select<E> {
        E::find().filter(E::TENANT.into_expr().eq(self.tenant_id()))
    }

    /// A query over pairs of this tenant's rows, joined by the relation from `E` to `R`.
    fn find_with<E, R>(&self) -> SelectTwoRequired<E, R>
    where
        E: TenantEntity + Related<R>,
        R: TenantEntity,
    {
        self.find::<E>().find_both_related(R::default()).filter(R::TENANT.into_expr().eq(self.tenant_id()))
    }

    /// A query for the row of this tenant with this id.
    fn find_by_id<E: IdentifiedEntity>(&self, id: Uuid) -> Select<E> {
        self.find::<E>().filter(E::ID.eq(id))
    }
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
