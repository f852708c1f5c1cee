//! The table `orders`.

use glasshouse_domain::failure::Corrupt;
use glasshouse_domain::order::{Order, OrderItem};
use sea_orm::QueryResult;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use super::super::columns::column;
use super::order_item::StoredItem;
use super::{money, tenant_entity};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub(in crate::db) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub placed_by: Uuid,
    pub state: String,
    pub total_minor: i64,
    pub currency: String,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::db) enum Relation {
    #[sea_orm(belongs_to = "super::user::Entity", from = "Column::PlacedBy", to = "super::user::Column::Id")]
    PlacedBy,
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::PlacedBy.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId, id: Id);

impl Model {
    /// The columns, in the order in which they are read.
    pub(in crate::db) const COLUMNS: [Column; 7] = [
        Column::Id,
        Column::TenantId,
        Column::PlacedBy,
        Column::State,
        Column::TotalMinor,
        Column::Currency,
        Column::CreatedAt,
    ];

    /// The id in columns of a row that begin at a position.
    pub(in crate::db) fn id_of(row: &QueryResult, first: usize) -> Result<Uuid, DbErr> {
        column(row, first)
    }

    /// The row in columns of another one that begin at a position.
    pub(in crate::db) fn of(row: &QueryResult, first: usize) -> Result<Self, DbErr> {
        Ok(Self {
            id: Self::id_of(row, first)?,
            tenant_id: column(row, first + 1)?,
            placed_by: column(row, first + 2)?,
            state: column(row, first + 3)?,
            total_minor: column(row, first + 4)?,
            currency: column(row, first + 5)?,
            created_at: column(row, first + 6)?,
        })
    }

    /// Converts the row and the rows of its items to an order.
    pub(in crate::db) fn with_items(self, mut items: Vec<StoredItem>) -> Result<Order, Corrupt> {
        items.sort_unstable_by_key(|item| item.product_id);
        let currency = self.currency;
        let items = items.into_iter().map(|row| row.in_currency(&currency));
        Ok(Order {
            id: self.id.into(),
            placed_by: self.placed_by.into(),
            state: self.state.parse()?,
            items: items.collect::<Result<Vec<OrderItem>, Corrupt>>()?,
            total: money(self.total_minor, &currency)?,
            created_at: self.created_at,
        })
    }
}
