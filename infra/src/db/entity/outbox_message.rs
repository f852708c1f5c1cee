//! The table `outbox_messages`.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{MessageId, TenantId};
use glasshouse_domain::outbox::OutboxEvent;
use glasshouse_telemetry::propagation;
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
    /// The context of the trace that wrote the message, as a W3C `traceparent`.
    pub traceparent: Option<String>,
    pub attempts: i32,
    /// When the message is due for delivery: immediately, after its lease expires, or after a backoff.
    pub available_at: OffsetDateTime,
    pub delivered_at: Option<OffsetDateTime>,
    /// When delivery was given up. A dead letter is not leased.
    pub dead_lettered_at: Option<OffsetDateTime>,
    pub dead_letter_reason: Option<String>,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::db) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId, id: Id);

impl Model {
    /// A new message, due immediately. It continues the current trace.
    pub(in crate::db) fn new(
        tenant: TenantId,
        event: &OutboxEvent,
        now: OffsetDateTime,
    ) -> Result<Self, StoreFailure> {
        Ok(Self {
            id: MessageId::new().uuid(),
            tenant_id: tenant.uuid(),
            kind: event.kind().to_owned(),
            event: serde_json::to_value(event).map_err(|error| StoreFailure::Unexpected(error.into()))?,
            traceparent: propagation::traceparent(),
            attempts: 0,
            available_at: now,
            delivered_at: None,
            dead_lettered_at: None,
            dead_letter_reason: None,
            created_at: now,
        })
    }
}
