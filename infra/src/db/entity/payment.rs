//! The table `payments`.

use glasshouse_domain::failure::Corrupt;
use glasshouse_domain::payment::Payment;
use glasshouse_domain::values::DeclineReason;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use super::{money, tenant_entity};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payments")]
pub(in crate::db) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub order_id: Uuid,
    pub amount_minor: i64,
    pub currency: String,
    pub state: String,
    pub decline_reason: Option<String>,
    pub refund_requested_at: Option<OffsetDateTime>,
    /// When an open payment is due for the reconciler: later than the end of any request that works on it.
    pub reconcile_at: OffsetDateTime,
    /// The trace context of the request that opened it, as a W3C `traceparent`.
    pub traceparent: Option<String>,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::db) enum Relation {
    #[sea_orm(belongs_to = "super::order::Entity", from = "Column::OrderId", to = "super::order::Column::Id")]
    Order,
}

impl Related<super::order::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Order.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId, id: Id);

impl TryFrom<Model> for Payment {
    type Error = Corrupt;

    fn try_from(row: Model) -> Result<Self, Corrupt> {
        Ok(Self {
            id: row.id.into(),
            order: row.order_id.into(),
            amount: money(row.amount_minor, &row.currency)?,
            state: row.state.parse()?,
            decline_reason: row.decline_reason.map(DeclineReason::stored),
            refund_requested_at: row.refund_requested_at,
            created_at: row.created_at,
        })
    }
}
