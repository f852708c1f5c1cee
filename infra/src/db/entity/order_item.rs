//! The table `order_items`.

use glasshouse_domain::failure::Corrupt;
use glasshouse_domain::order::OrderItem;
use glasshouse_domain::values::{Name, Quantity, Sku};
use sea_orm::QueryResult;
use sea_orm::entity::prelude::*;

use super::super::columns::column;
use super::{money, tenant_entity};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "order_items")]
pub(in crate::db) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: Uuid,
    pub tenant_id: Uuid,
    pub sku: String,
    pub name: String,
    pub unit_price_minor: i64,
    pub quantity: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::db) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId);

/// An item of an order that is known. A list of orders has more items than anything else.
pub(in crate::db) struct StoredItem {
    pub(super) product_id: Uuid,
    sku: String,
    name: String,
    unit_price_minor: i64,
    quantity: i32,
}

impl StoredItem {
    /// The columns, in the order in which they are read.
    pub(in crate::db) const COLUMNS: [Column; 5] =
        [Column::ProductId, Column::Sku, Column::Name, Column::UnitPriceMinor, Column::Quantity];

    /// The item in the first columns of a row; `None` if the row has an order without items.
    pub(in crate::db) fn of(row: &QueryResult) -> Result<Option<Self>, DbErr> {
        let Some(product_id) = column(row, 0)? else { return Ok(None) };
        Ok(Some(Self {
            product_id,
            sku: column(row, 1)?,
            name: column(row, 2)?,
            unit_price_minor: column(row, 3)?,
            quantity: column(row, 4)?,
        }))
    }

    /// Converts the row to an item. The currency is stored with the order.
    pub(super) fn in_currency(self, currency: &str) -> Result<OrderItem, Corrupt> {
        Ok(OrderItem {
            product: self.product_id.into(),
            sku: Sku::stored(self.sku),
            name: Name::stored(self.name),
            unit_price: money(self.unit_price_minor, currency)?,
            quantity: Quantity::stored(self.quantity),
        })
    }
}
