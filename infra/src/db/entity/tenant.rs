//! The table `tenants`.

use glasshouse_domain::failure::Corrupt;
use glasshouse_domain::tenant::Tenant;
use glasshouse_domain::values::{Name, Slug};
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use super::tenant_entity;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenants")]
pub(in crate::db) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub plan: String,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::db) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: Id, id: Id);

impl TryFrom<Model> for Tenant {
    type Error = Corrupt;

    fn try_from(row: Model) -> Result<Self, Corrupt> {
        Ok(Self {
            id: row.id.into(),
            slug: Slug::stored(row.slug),
            name: Name::stored(row.name),
            plan: row.plan.parse()?,
            created_at: row.created_at,
        })
    }
}
