//! The table `idempotent_requests`: claims the key of a user, and records the response, in the transaction of the effect.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::idempotency::{IdempotencyKey, IdempotentRequest, KeyReused, StoredResponse};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, InsertStatement, OnConflict, Query};
use sea_orm::{FromQueryResult, QueryFilter, Value};
use time::OffsetDateTime;

use super::entity::tenant_entity;
use super::failure::store_failure;
use super::scope::Scope;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotent_requests")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub request_hash: String,
    /// The id of the order, payment or product of the request.
    pub subject_id: Uuid,
    pub status: Option<i16>,
    pub body: Option<String>,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId);

/// The request that took a key first.
const EARLIER: &str = "\
    SELECT request_hash, subject_id, status, body FROM idempotent_requests \
    WHERE tenant_id = $1 AND user_id = $2 AND key = $3 \
    UNION ALL \
    SELECT request_hash, subject_id, status, body FROM idempotency_keys \
    WHERE tenant_id = $1 AND key = $3 AND request_hash = $4 \
    LIMIT 1";

/// A row of [`EARLIER`].
#[derive(FromQueryResult)]
struct Earlier {
    request_hash: String,
    subject_id: Option<Uuid>,
    status: Option<i16>,
    body: Option<String>,
}

impl Earlier {
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
        if self.run_insert(self.claim_of(request, subject)).await? > 0 {
            return Ok(Claim::First);
        }
        let (user, key, hash) = (request.user.uuid(), request.key.as_str(), request.hash.as_str());
        let rows = self.query(EARLIER, [user.into(), key.into(), hash.into()]).await?;
        let row = rows.first().ok_or_else(|| expired_meanwhile(&request.key))?;
        let earlier = Earlier::from_query_result(row, "").map_err(store_failure)?;
        if earlier.request_hash != hash {
            return Err(KeyReused.into());
        }
        let earlier_subject = earlier.subject_id.unwrap_or(subject);
        Ok(earlier.response().map_or(Claim::InProgress(earlier_subject), Claim::Completed))
    }

    /// Claims the key of a request about the resource `subject` with the commit. If it is taken,
    /// [`try_commit`](Self::try_commit) does not commit.
    pub(super) fn claim_at_commit<T>(&self, request: &IdempotentRequest<T>, subject: Uuid) {
        self.require_insert_at_commit::<Entity>(self.claim_of(request, subject));
    }

    /// Inserts the row of a request, unless its key is taken. The table `idempotency_keys` of the previous version has keys
    /// whose user is known by the hash alone.
    fn claim_of<T>(&self, request: &IdempotentRequest<T>, subject: Uuid) -> InsertStatement {
        let (tenant, key, hash) = (self.tenant().uuid(), request.key.as_str(), request.hash.as_str());
        let row: [(Column, Value); 6] = [
            (Column::TenantId, tenant.into()),
            (Column::UserId, request.user.uuid().into()),
            (Column::Key, key.into()),
            (Column::RequestHash, hash.into()),
            (Column::SubjectId, subject.into()),
            (Column::CreatedAt, self.now().into()),
        ];
        let of_previous_version = Query::select()
            .expr(Expr::cust("1"))
            .from("idempotency_keys")
            .and_where(Expr::col("tenant_id").eq(tenant))
            .and_where(Expr::col("key").eq(key))
            .and_where(Expr::col("request_hash").eq(hash))
            .take();
        let columns = row.iter().map(|(column, _)| *column).collect::<Vec<_>>();
        let values = row.into_iter().map(|(_, value)| Expr::value(value));
        let row = Query::select().exprs(values).and_where(Expr::exists(of_previous_version).not()).take();
        let mut claim = Query::insert();
        claim.into_table(Entity).columns(columns);
        // It fails only where columns and values differ in number.
        let _ = claim.select_from(row);
        let is_taken =
            OnConflict::columns([Column::TenantId, Column::UserId, Column::Key]).do_nothing().to_owned();
        claim.on_conflict(is_taken).take()
    }

    /// Records the response at the commit. Repeated requests get it again.
    pub(super) fn record<T>(&self, request: &IdempotentRequest<T>, result: &T) {
        let response = (request.render)(result);
        let update = self
            .update::<Entity>()
            .col_expr(Column::Status, Expr::value(i32::from(response.code)))
            .col_expr(Column::Body, Expr::value(response.body))
            .filter(Column::UserId.eq(request.user.uuid()))
            .filter(Column::Key.eq(request.key.as_str()));
        self.update_at_commit(update);
    }
}

/// The key expired between two statements. The client can retry.
pub(super) fn expired_meanwhile(key: &IdempotencyKey) -> StoreFailure {
    StoreFailure::Unavailable(format!("idempotency key {} expired meanwhile", key.as_str()).into())
}
