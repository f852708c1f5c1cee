//! The table `outbox_messages`.

use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use super::tenant_entity;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox_messages")]
pub(in crate::db) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub kind: String,
    pub event: Json,
    /// The trace in which it was written.
    pub traceparent: Option<String>,
    pub attempts: i32,
    /// When the relay may take the message: at once, after a lease that was not kept, or after a pause.
    pub available_at: OffsetDateTime,
    pub delivered_at: Option<OffsetDateTime>,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::db) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId, id: Id);
