//! The transaction of one tenant and its statements. All queries start from [`TenantQueries::find`] or [`Scope::update`],
//! which filter by the tenant. Clippy forbids sea-orm's unscoped forms everywhere else (see `clippy.toml`).

use std::sync::Arc;

use glasshouse_domain::failure::{Corrupt, StoreFailure};
use glasshouse_domain::id::TenantId;
use sea_orm::sea_query::{Expr, InsertStatement, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityName, EntityTrait, Insert,
    IntoActiveModel, ModelTrait, QueryFilter, QueryResult, QueryTrait, Select, SelectTwoRequired, Statement,
    UpdateMany, Value,
};
use time::OffsetDateTime;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::Pool;
use super::entity::{IdentifiedEntity, TenantEntity, TenantQueries};
use super::failure::{Constraint, violated_constraint};
use super::open_transaction::OpenTransaction;
use super::suspicion::Suspicion;
use super::writes::{Write, Writes};

/// One transaction of one tenant. Dropped without [`Scope::commit`], it is rolled back.
pub(super) struct Scope {
    /// The client span of all its statements.
    span: Span,
    transaction: Arc<OpenTransaction>,
    tenant: TenantId,
    now: OffsetDateTime,
    suspicion: Suspicion,
    writes: Writes,
}

impl TenantQueries for Scope {
    fn tenant_id(&self) -> Expr {
        self.tenant.uuid().into()
    }
}

impl Scope {
    pub(super) fn new(
        span: Span,
        transaction: Arc<OpenTransaction>,
        (tenant, now): (TenantId, OffsetDateTime),
        pool: &Pool,
    ) -> Self {
        Self { span, transaction, tenant, now, suspicion: pool.suspicion.clone(), writes: Writes::default() }
    }

    /// The time at which this transaction began, by the clock of the database. What is stored or decided in it uses this
    /// time: the clock of this process may be wrong.
    pub(super) const fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// The tenant whose rows this transaction sees.
    pub(super) const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Whether there is a tenant with the slug with which this transaction began.
    pub(super) fn has_tenant(&self) -> bool {
        !self.tenant.uuid().is_nil()
    }

    /// The SQL dialect of the database.
    pub(super) fn backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    /// An update of this tenant's rows.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the updates of an entity meet their tenant"
    )]
    pub(super) fn update<E: TenantEntity>(&self) -> UpdateMany<E> {
        E::update_many().filter(E::TENANT.eq(self.tenant.uuid()))
    }

    /// An update of the row of this tenant with this id.
    pub(super) fn update_by_id<E: IdentifiedEntity>(&self, id: Uuid) -> UpdateMany<E> {
        self.update::<E>().filter(E::ID.eq(id))
    }

    /// The first row of a query.
    pub(super) async fn one_row<E: TenantEntity>(
        &self,
        query: Select<E>,
    ) -> Result<Option<E::Model>, StoreFailure> {
        self.within(query.one(&*self.transaction)).await
    }

    /// All rows of a query, as types of the domain.
    pub(super) async fn all<E, T>(&self, query: Select<E>) -> Result<Vec<T>, StoreFailure>
    where
        E: TenantEntity,
        T: TryFrom<E::Model, Error = Corrupt>,
    {
        let rows = self.all_rows(query).await?;
        rows.into_iter().map(|row| T::try_from(row).map_err(StoreFailure::from)).collect()
    }

    /// All rows of a query.
    pub(super) async fn all_rows<E: TenantEntity>(
        &self,
        query: Select<E>,
    ) -> Result<Vec<E::Model>, StoreFailure> {
        self.within(query.all(&*self.transaction)).await
    }

    /// The first pair of rows of a query.
    pub(super) async fn one_pair<E, R>(
        &self,
        query: SelectTwoRequired<E, R>,
    ) -> Result<Option<(E::Model, R::Model)>, StoreFailure>
    where
        E: TenantEntity,
        R: TenantEntity,
    {
        self.within(query.one(&*self.transaction)).await
    }

    /// All rows of a query that is not that of one entity.
    pub(super) async fn rows(&self, query: &SelectStatement) -> Result<Vec<QueryResult>, StoreFailure> {
        self.within(self.transaction.query_all(query)).await
    }

    /// All rows of a query in SQL, in which `$1` is this tenant and `values` are numbered from `$2`.
    pub(super) async fn query<const N: usize>(
        &self,
        sql: &str,
        values: [Value; N],
    ) -> Result<Vec<QueryResult>, StoreFailure> {
        let values = [self.tenant.uuid().into()].into_iter().chain(values);
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        self.within(self.transaction.query_all_raw(statement)).await
    }

    /// Runs an update. Returns the number of rows that it changed.
    pub(super) async fn run<E: TenantEntity>(&self, update: UpdateMany<E>) -> Result<u64, StoreFailure> {
        Ok(self.within(update.exec(&*self.transaction)).await?.rows_affected)
    }

    /// Makes an update with the commit, together with other writes. No query of this transaction sees it.
    pub(super) fn update_at_commit<E: TenantEntity>(&self, update: UpdateMany<E>) {
        self.writes.add(Write::update(E::default().table_name(), update.into_query()));
    }

    /// Makes an update with the commit, together with other writes. If it changes no row, [`try_commit`](Self::try_commit) does not
    /// commit.
    pub(super) fn require_at_commit<E: TenantEntity>(&self, update: UpdateMany<E>) {
        self.writes.add(Write::update(E::default().table_name(), update.into_query()).required());
    }

    /// Runs an update. Returns the rows that it changed, as they are afterwards.
    pub(super) async fn run_returning<E, T>(&self, update: UpdateMany<E>) -> Result<Vec<T>, StoreFailure>
    where
        E: TenantEntity,
        E::Model: IntoActiveModel<E::ActiveModel>,
        T: TryFrom<E::Model, Error = Corrupt>,
    {
        let rows = self.within(update.exec_with_returning(&*self.transaction)).await?;
        rows.into_iter().map(|row| T::try_from(row).map_err(StoreFailure::from)).collect()
    }

    /// Runs an update. Returns the rows that it changed, as they are afterwards, or the constraint of a business rule that
    /// it violates.
    pub(super) async fn run_returning_checked<E, T>(
        &self,
        update: UpdateMany<E>,
    ) -> Result<Result<Vec<T>, Constraint>, StoreFailure>
    where
        E: TenantEntity,
        E::Model: IntoActiveModel<E::ActiveModel>,
        T: TryFrom<E::Model, Error = Corrupt>,
    {
        match self.checked(update.exec_with_returning(&*self.transaction)).await? {
            Ok(rows) => {
                let rows = rows.into_iter().map(|row| T::try_from(row).map_err(StoreFailure::from));
                Ok(Ok(rows.collect::<Result<_, _>>()?))
            }
            Err(constraint) => Ok(Err(constraint)),
        }
    }

    /// Adds rows in one statement.
    pub(super) async fn insert<M>(&self, rows: impl IntoIterator<Item = M>) -> Result<(), StoreFailure>
    where
        M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity> + Send,
        M::Entity: TenantEntity,
    {
        let rows = rows.into_iter().map(|row| self.own(row));
        self.within(Insert::many(rows).exec_without_returning(&*self.transaction)).await?;
        Ok(())
    }

    /// Adds rows of one table with the commit, together with other writes. No query of this transaction sees them.
    pub(super) fn insert_at_commit<M>(&self, rows: impl IntoIterator<Item = M>)
    where
        M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
        M::Entity: TenantEntity,
    {
        let rows = rows.into_iter().map(|row| self.own(row));
        self.writes.add(Write::insert(M::Entity::default().table_name(), Insert::many(rows).into_query()));
    }

    /// Runs an insertion. Returns the number of rows that it added.
    pub(super) async fn run_insert(&self, insert: InsertStatement) -> Result<u64, StoreFailure> {
        Ok(self.within(self.transaction.execute(&insert)).await?.rows_affected())
    }

    /// Makes an insertion with the commit, together with other writes. If it adds no row, [`try_commit`](Self::try_commit) does not
    /// commit.
    pub(super) fn require_insert_at_commit<E: TenantEntity>(&self, insert: InsertStatement) {
        self.writes.add(Write::insert(E::default().table_name(), insert).required());
    }

    /// Adds a row. Returns the constraint of a business rule that it violates, if there is one.
    pub(super) async fn insert_checked<M>(&self, row: M) -> Result<Result<(), Constraint>, StoreFailure>
    where
        M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity> + Send,
        M::Entity: TenantEntity,
    {
        let insertion = Insert::one(self.own(row)).exec_without_returning(&*self.transaction);
        Ok(self.checked(insertion).await?.map(drop))
    }

    /// Makes the writes that wait for it, and commits the transaction.
    pub(super) async fn commit(self) -> Result<(), StoreFailure> {
        let is_committed = self.try_commit().await?;
        is_committed
            .then_some(())
            .ok_or_else(|| StoreFailure::Unexpected("a required row has changed".into()))
    }

    /// Makes the writes that wait for it, and commits the transaction, unless one that is required writes no row: then it returns
    /// `false`, and rolls back.
    pub(super) async fn try_commit(self) -> Result<bool, StoreFailure> {
        let may_commit = self.within(self.writes.send(&*self.transaction)).await?;
        if may_commit {
            self.within(self.transaction.commit()).await?;
        }
        Ok(may_commit)
    }

    /// A row as an insertion of all its columns, with this tenant as its owner.
    fn own<M>(&self, row: M) -> <M::Entity as EntityTrait>::ActiveModel
    where
        M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
        M::Entity: TenantEntity,
    {
        let mut row = row.into_active_model().reset_all();
        row.set(M::Entity::TENANT, self.tenant.uuid().into());
        row
    }

    /// Runs a statement inside this transaction's span.
    async fn within<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, StoreFailure> {
        statement.instrument(self.span.clone()).await.map_err(|error| self.failure(error))
    }

    /// As [`within`](Self::within), but returns the constraint of a business rule that the statement violates.
    async fn checked<T>(
        &self,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<Result<T, Constraint>, StoreFailure> {
        match statement.instrument(self.span.clone()).await {
            Ok(result) => Ok(Ok(result)),
            Err(error) => violated_constraint(&error).map(Err).ok_or_else(|| self.failure(error)),
        }
    }

    fn failure(&self, error: DbErr) -> StoreFailure {
        self.span.record("otel.status_code", "ERROR");
        self.suspicion.failure(error)
    }
}
