//! The scope of one tenant. This is the only file that names an entity without naming a tenant: everything
//! else starts from [`Scope::find`] or [`Scope::update`], which are filtered already. Clippy refuses the
//! unscoped forms elsewhere (see `clippy.toml`).

use std::time::{Duration, Instant};

use glasshouse_domain::failure::{Corrupt, StoreFailure};
use glasshouse_domain::id::TenantId;
use glasshouse_domain::values::Slug;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    Insert, IntoActiveModel, ModelTrait, QueryFilter, Select, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, UpdateMany,
};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::Database;
use super::entity::TenantEntity;
use super::failure::{Constraint, store_failure, violated_constraint};
use glasshouse_telemetry::propagation;

/// Everything that one tenant owns. Handlers hold one of these, and no way to any other tenant's rows.
#[derive(Clone, Debug)]
pub struct TenantStore {
    database: Database,
    tenant: TenantId,
}

impl TenantStore {
    pub(super) const fn new(database: Database, tenant: TenantId) -> Self {
        Self { database, tenant }
    }

    /// Whose rows these are.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    pub(super) const fn database(&self) -> &Database {
        &self.database
    }

    /// Begins a transaction that only reads. `operation` names its span.
    pub(super) async fn read(&self, operation: &'static str) -> Result<Scope, StoreFailure> {
        self.database.begin(operation, Access::Read, Whose::Tenant(self.tenant)).await
    }

    /// Begins a transaction that writes. `operation` names its span.
    pub(super) async fn write(&self, operation: &'static str) -> Result<Scope, StoreFailure> {
        self.database.begin(operation, Access::Write, Whose::Tenant(self.tenant)).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

enum Whose<'a> {
    Tenant(TenantId),
    Slug(&'a Slug),
}

impl Database {
    /// Begins a reading transaction in the scope of the tenant with this slug. If there is none, it sees no
    /// row at all, and takes as many round trips as it would otherwise.
    pub(super) async fn read_by_slug(
        &self,
        operation: &'static str,
        slug: &Slug,
    ) -> Result<Scope, StoreFailure> {
        self.begin(operation, Access::Read, Whose::Slug(slug)).await
    }

    async fn begin(
        &self,
        operation: &'static str,
        access: Access,
        whose: Whose<'_>,
    ) -> Result<Scope, StoreFailure> {
        let span = self.operation_span(operation);
        self.begin_in(span.clone(), access, whose).instrument(span).await
    }

    async fn begin_in(&self, span: Span, access: Access, whose: Whose<'_>) -> Result<Scope, StoreFailure> {
        let turn = match access {
            Access::Read => None,
            Access::Write => self.writers_turn().await,
        };
        // A SQLite transaction that begins as a reader and becomes a writer later can fail at once, whatever
        // its busy time-out: writers say so at the beginning.
        let mode = match access {
            Access::Read => SqliteTransactionMode::Deferred,
            Access::Write => SqliteTransactionMode::Immediate,
        };
        let options =
            TransactionOptions { sqlite_transaction_mode: Some(mode), ..TransactionOptions::default() };
        let begin = async {
            let asked = Instant::now();
            let begun = self.connection.begin_with_options(options).await;
            self.metrics.acquired(asked.elapsed());
            let transaction = begun.map_err(store_failure)?;
            let tenant = if self.is_sqlite() {
                sqlite_tenant(&transaction, whose).await?
            } else {
                set_tenant(&transaction, whose).await?
            };
            if let Some(delay) = self.faults.slow_query() {
                sleep_in_database(&transaction, delay).await?;
            }
            Ok((transaction, tenant))
        };
        let (transaction, tenant) = self.in_time(begin).await?;
        Ok(Scope { span, transaction, tenant, _turn: turn })
    }
}

/// Binds the transaction to a tenant: from here on, row-level security shows this tenant's rows alone.
async fn set_tenant(transaction: &DatabaseTransaction, whose: Whose<'_>) -> Result<TenantId, StoreFailure> {
    let (sql, value) = match whose {
        Whose::Tenant(tenant) => {
            let sql = "SELECT set_config('application_name', $2, true), set_config('app.tenant_id', $1, true) AS tenant";
            (sql, tenant.to_string())
        }
        Whose::Slug(slug) => (
            "SELECT set_config('application_name', $2, true), \
                    set_config('app.tenant_id', tenant_id_by_slug($1)::text, true) AS tenant",
            slug.to_string(),
        ),
    };
    // So that `pg_stat_activity` and the server's log lead to the trace.
    let application_name = match propagation::trace_id() {
        Some(trace_id) => format!("glasshouse/{trace_id}"),
        None => "glasshouse".to_owned(),
    };
    let values = [value.into(), application_name.into()];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let row = transaction.query_one_raw(statement).await.map_err(store_failure)?;
    let tenant: Option<String> =
        row.map(|row| row.try_get("", "tenant")).transpose().map_err(store_failure)?.flatten();
    Ok(tenant.and_then(|id| id.parse().ok()).unwrap_or_else(|| TenantId::from(Uuid::nil())))
}

/// SQLite has no row-level security: the filters of [`Scope`] keep tenants apart.
async fn sqlite_tenant(
    transaction: &DatabaseTransaction,
    whose: Whose<'_>,
) -> Result<TenantId, StoreFailure> {
    let slug = match whose {
        Whose::Tenant(tenant) => return Ok(tenant),
        Whose::Slug(slug) => slug.to_string(),
    };
    let sql = "SELECT id FROM tenants WHERE slug = ?";
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, [slug.into()]);
    let row = transaction.query_one_raw(statement).await.map_err(store_failure)?;
    let id: Option<Uuid> = row.map(|row| row.try_get("", "id")).transpose().map_err(store_failure)?;
    Ok(id.unwrap_or_else(Uuid::nil).into())
}

/// An injected fault: a statement that really takes this long.
async fn sleep_in_database(transaction: &DatabaseTransaction, delay: Duration) -> Result<(), StoreFailure> {
    let (sql, seconds) = ("SELECT pg_sleep($1)", delay.as_secs_f64());
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [seconds.into()]);
    transaction.execute_raw(statement).await.map_err(store_failure)?;
    Ok(())
}

/// One transaction of one tenant. Dropped without [`Scope::commit`], it is rolled back.
pub(super) struct Scope {
    /// The client span of all its statements.
    span: Span,
    transaction: DatabaseTransaction,
    tenant: TenantId,
    /// Declared last, so that it is given back after the transaction.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Scope {
    /// Whose rows this transaction sees.
    pub(super) const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The connection, for statements that the methods below cannot express.
    pub(super) const fn connection(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// A query over this tenant's rows.
    #[expect(clippy::disallowed_methods, reason = "the one place where an entity meets its tenant")]
    pub(super) fn find<E: TenantEntity>(&self) -> Select<E> {
        E::find().filter(E::TENANT.eq(self.tenant.uuid()))
    }

    /// An update of this tenant's rows.
    #[expect(clippy::disallowed_methods, reason = "the one place where an entity meets its tenant")]
    pub(super) fn update<E: TenantEntity>(&self) -> UpdateMany<E> {
        E::update_many().filter(E::TENANT.eq(self.tenant.uuid()))
    }

    /// The first row of a query, as the domain knows it.
    pub(super) async fn one<E, T>(&self, query: Select<E>) -> Result<Option<T>, StoreFailure>
    where
        E: TenantEntity,
        T: TryFrom<E::Model, Error = Corrupt>,
    {
        let row = self.one_row(query).await?;
        row.map(|row| T::try_from(row).map_err(StoreFailure::from)).transpose()
    }

    /// The first row of a query.
    pub(super) async fn one_row<E: TenantEntity>(
        &self,
        query: Select<E>,
    ) -> Result<Option<E::Model>, StoreFailure> {
        self.within(query.one(&self.transaction)).await
    }

    /// All rows of a query, as the domain knows them.
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
        self.within(query.all(&self.transaction)).await
    }

    /// Runs an update; answers how many rows it changed.
    pub(super) async fn run<E: TenantEntity>(&self, update: UpdateMany<E>) -> Result<u64, StoreFailure> {
        Ok(self.within(update.exec(&self.transaction)).await?.rows_affected)
    }

    /// Runs an update; answers the rows as they are afterwards.
    pub(super) async fn run_returning<E, T>(&self, update: UpdateMany<E>) -> Result<Vec<T>, StoreFailure>
    where
        E: TenantEntity,
        E::Model: IntoActiveModel<E::ActiveModel>,
        T: TryFrom<E::Model, Error = Corrupt>,
    {
        let rows = self.within(update.exec_with_returning(&self.transaction)).await?;
        rows.into_iter().map(|row| T::try_from(row).map_err(StoreFailure::from)).collect()
    }

    /// Adds rows in one statement.
    pub(super) async fn insert<M>(&self, rows: impl IntoIterator<Item = M>) -> Result<(), StoreFailure>
    where
        M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity> + Send,
        M::Entity: TenantEntity,
    {
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
        self.within(Insert::many(rows).exec_without_returning(&self.transaction)).await?;
        Ok(())
    }

    /// Adds a row unless it breaks a constraint that stands for a rule; answers which one.
    pub(super) async fn insert_checked<M>(&self, row: M) -> Result<Result<(), Constraint>, StoreFailure>
    where
        M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity> + Send,
        M::Entity: TenantEntity,
    {
        let row = row.into_active_model().reset_all();
        match Insert::one(row).exec_without_returning(&self.transaction).instrument(self.span.clone()).await {
            Ok(_) => Ok(Ok(())),
            Err(error) => match violated_constraint(&error) {
                Some(constraint) => Ok(Err(constraint)),
                None => Err(store_failure(error)),
            },
        }
    }

    /// Makes the changes visible to others.
    pub(super) async fn commit(self) -> Result<(), StoreFailure> {
        self.transaction.commit().instrument(self.span).await.map_err(store_failure)
    }

    /// Runs a statement inside this transaction's span.
    pub(super) async fn within<T>(
        &self,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, StoreFailure> {
        statement.instrument(self.span.clone()).await.map_err(|error| {
            self.span.record("otel.status_code", "ERROR");
            store_failure(error)
        })
    }
}
