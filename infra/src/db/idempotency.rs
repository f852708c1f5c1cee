//! Idempotency keys, claimed and answered in the transaction of the effect that they guard.

use glasshouse_domain::clock;
use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::idempotency::{IdempotencyKey, Idempotent, KeyReused, RecordedAnswer};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, Insert, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use super::entity::idempotency_key::{Column, Entity, Model};
use super::failure::store_failure;
use super::scope::Scope;

/// Whether this request is the first with its key.
pub(super) enum Claim {
    /// It is.
    First,
    /// It is not, and the first one was answered.
    Answered(RecordedAnswer),
    /// It is not, and the first one has no answer yet; it was about this thing.
    Unanswered(Uuid),
}

impl Scope {
    /// Claims the key of a request about `subject`. Where another transaction is about to claim the same key,
    /// this waits for its end.
    pub(super) async fn claim<T, E>(&self, request: &Idempotent<T>, subject: Uuid) -> Result<Claim, E>
    where
        E: From<StoreFailure> + From<KeyReused>,
    {
        let row = Model {
            tenant_id: self.tenant().uuid(),
            key: request.key.as_str().to_owned(),
            request_hash: request.request.as_str().to_owned(),
            subject_id: Some(subject),
            status: None,
            body: None,
            created_at: clock::now(),
        };
        let unless_taken = OnConflict::columns([Column::TenantId, Column::Key]).do_nothing().to_owned();
        let insert = Insert::one(row.into_active_model().reset_all()).on_conflict(unless_taken);
        let inserted = insert.exec_without_returning(self.connection()).await.map_err(store_failure)?;
        if inserted == 1 {
            return Ok(Claim::First);
        }
        let query = self.find::<Entity>().filter(Column::Key.eq(request.key.as_str()));
        let before = self.one_row(query).await?.ok_or_else(|| vanished(&request.key))?;
        if before.request_hash != request.request.as_str() {
            return Err(KeyReused.into());
        }
        let subject_before = before.subject_id.unwrap_or(subject);
        Ok(before.answer().map_or(Claim::Unanswered(subject_before), Claim::Answered))
    }

    /// Records what the client is told, for repetitions of the request.
    pub(super) async fn record<T>(&self, request: &Idempotent<T>, result: &T) -> Result<(), StoreFailure> {
        let answer = (request.answer)(result);
        let update = self
            .update::<Entity>()
            .col_expr(Column::Status, Expr::value(i32::from(answer.status)))
            .col_expr(Column::Body, Expr::value(answer.body))
            .filter(Column::Key.eq(request.key.as_str()));
        self.run(update).await?;
        Ok(())
    }
}

/// The key was there a moment ago: it expired in between. The client may simply try again.
fn vanished(key: &IdempotencyKey) -> StoreFailure {
    StoreFailure::Unavailable(format!("idempotency key {} expired just now", key.as_str()).into())
}
