//! The table `products`.

use glasshouse_domain::failure::Corrupt;
use glasshouse_domain::product::Product;
use glasshouse_domain::values::{Name, Sku};
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use super::{money, tenant_entity};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "products")]
pub(in crate::db) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub sku: String,
    pub name: String,
    pub price_minor: i64,
    pub currency: String,
    pub stock: i32,
    pub archived: bool,
    pub version: i32,
    pub created_at: OffsetDateTime,
    /// The units that came in by hand: the initial stock and all stock movements. `None` for a product of a version that did
    /// not record them.
    pub received: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::db) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId, id: Id);

impl TryFrom<Model> for Product {
    type Error = Corrupt;

    fn try_from(row: Model) -> Result<Self, Corrupt> {
        Ok(Self {
            id: row.id.into(),
            sku: Sku::stored(row.sku),
            name: Name::stored(row.name),
            price: money(row.price_minor, &row.currency)?,
            stock: row.stock,
            archived: row.archived,
            version: row.version,
            created_at: row.created_at,
        })
    }
}
