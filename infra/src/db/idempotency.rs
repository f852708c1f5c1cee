//! The table `idempotency_keys`: claims a key, and records the response, in the transaction of the effect.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::idempotency::{IdempotencyKey, IdempotentRequest, KeyReused, StoredResponse};
use sea_orm::QueryFilter;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use time::OffsetDateTime;

use super::entity::tenant_entity;
use super::scope::Scope;
use crate::clock;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub(super) struct Model {
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
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId);

impl Model {
    /// The response to the first request, if it is recorded.
    fn response(self) -> Option<StoredResponse> {
        let code = u16::try_from(self.status?).ok()?;
        Some(StoredResponse { code, body: self.body? })
    }
}

/// The result of claiming a key.
pub(super) enum Claim {
    /// The request is the first with its key.
    First,
    /// An earlier request with the key has this recorded response.
    Completed(StoredResponse),
    /// An earlier request with the key has no recorded response; it was about the resource with this id.
    InProgress(Uuid),
}

impl Scope {
    /// Claims the key of a request about the resource `subject`. Waits for a concurrent transaction that claims the
    /// same key.
    pub(super) async fn claim<T, E>(&self, request: &IdempotentRequest<T>, subject: Uuid) -> Result<Claim, E>
    where
        E: From<StoreFailure> + From<KeyReused>,
    {
        let row = Model {
            tenant_id: self.tenant().uuid(),
            key: request.key.as_str().to_owned(),
            request_hash: request.hash.as_str().to_owned(),
            subject_id: Some(subject),
            status: None,
            body: None,
            created_at: clock::now(),
        };
        if self.insert_if_absent(row, [Column::TenantId, Column::Key]).await? {
            return Ok(Claim::First);
        }
        let query = self.find::<Entity>().filter(Column::Key.eq(request.key.as_str()));
        let earlier = self.one_row(query).await?.ok_or_else(|| expired_meanwhile(&request.key))?;
        if earlier.request_hash != request.hash.as_str() {
            return Err(KeyReused.into());
        }
        let earlier_subject = earlier.subject_id.unwrap_or(subject);
        Ok(earlier.response().map_or(Claim::InProgress(earlier_subject), Claim::Completed))
    }

    /// Records the response, which repeated requests get again.
    pub(super) async fn record<T>(
        &self,
        request: &IdempotentRequest<T>,
        result: &T,
    ) -> Result<(), StoreFailure> {
        let response = (request.render)(result);
        let update = self
            .update::<Entity>()
            .col_expr(Column::Status, Expr::value(i32::from(response.code)))
            .col_expr(Column::Body, Expr::value(response.body))
            .filter(Column::Key.eq(request.key.as_str()));
        self.run(update).await?;
        Ok(())
    }
}

/// The key expired between two statements. The client can retry.
fn expired_meanwhile(key: &IdempotencyKey) -> StoreFailure {
    StoreFailure::Unavailable(format!("idempotency key {} expired meanwhile", key.as_str()).into())
}
