//! The table `idempotency_keys`.

use glasshouse_domain::idempotency::StoredResponse;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use super::tenant_entity;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub(in crate::db) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub request_hash: String,
    /// The id of the order, payment or product of the request.
    pub subject_id: Option<Uuid>,
    pub status: Option<i16>,
    pub body: Option<String>,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::db) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId);

impl Model {
    /// The response to the first request, if it is recorded.
    pub(in crate::db) fn response(self) -> Option<StoredResponse> {
        let code = u16::try_from(self.status?).ok()?;
        Some(StoredResponse { code, body: self.body? })
    }
}
