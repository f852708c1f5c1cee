//! The consistent, read-only view of the whole database.
//!
//! It reads the rows of tenants as everything else does: in the [`Scope`] of one tenant at a time, whose row-level security
//! applies to the owner too. It opens these scopes within its own transaction, so that all of them see the same state.

use std::sync::Arc;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::TenantId;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::AuditError;
use crate::clock;
use crate::db::Pool;
use crate::db::failure::store_failure;
use crate::db::limits::Limits;
use crate::db::open_transaction::OpenTransaction;
use crate::db::pool::get;
use crate::db::scope::Scope;

/// A transaction that sees one state of the database and cannot change it.
pub(super) struct Snapshot<'a> {
    pool: &'a Pool,
    transaction: Arc<OpenTransaction>,
    at: OffsetDateTime,
}

/// A tenant of a page.
pub(super) struct Tenant {
    pub(super) id: TenantId,
    pub(super) slug: String,
}

/// The number of tenants that are read at once.
const TENANTS_PER_PAGE: i64 = 500;

/// A statement may read a large table.
const LIMITS: Limits = Limits { statement: Duration::from_secs(3600) };

/// Sets the limits of the transaction. The audit may wait for the ledger between two statements.
const SET_LIMITS: &str = "\
    SELECT set_config('statement_timeout', '1h', true), \
           set_config('idle_in_transaction_session_timeout', '10min', true), \
           set_config('application_name', 'glasshouse audit', true)";

/// Whether row-level security shows all tenants to this role, as the policy of the owner does, and whether the columns that
/// the checks need exist. A role that sees no tenant would find nothing.
const ROLE: &str = "\
    SELECT current_user::text AS role, \
           (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) \
               OR coalesce((SELECT NOT relrowsecurity OR EXISTS ( \
                                SELECT FROM pg_policy, unnest(polroles) AS applies (role) \
                                WHERE polrelid = tenants.oid AND pg_get_expr(polqual, polrelid) = 'true' \
                                  AND (applies.role = 0 OR pg_has_role(applies.role, 'USAGE'))) \
                            FROM pg_class AS tenants WHERE oid = to_regclass('tenants')), true) AS sees_tenants, \
           EXISTS (SELECT FROM information_schema.columns \
                   WHERE table_schema = 'public' AND table_name = 'products' AND column_name = 'received') AS is_migrated";

const SQLITE_SCHEMA: &str =
    "SELECT EXISTS (SELECT 1 FROM pragma_table_info('products') WHERE name = 'received') AS is_migrated";

impl<'a> Snapshot<'a> {
    /// Takes a snapshot.
    pub(super) async fn take(pool: &'a Pool) -> Result<Self, AuditError> {
        let connection = pool.connections.acquire(LIMITS).await.map_err(store_failure)?;
        let transaction = Arc::new(OpenTransaction::on(pool.connections.backend(), connection, None));
        let begin = match pool.is_sqlite() {
            // A transaction of SQLite is a snapshot from its first read on.
            true => "BEGIN DEFERRED",
            false => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        transaction.execute_unprepared(begin).await.map_err(store_failure)?;
        let mut snapshot = Self { pool, transaction, at: clock::now() };
        if pool.is_sqlite() {
            snapshot.transaction.execute_unprepared("PRAGMA query_only = ON").await.map_err(store_failure)?;
            return snapshot.check_schema(SQLITE_SCHEMA).await;
        }
        snapshot.query(SET_LIMITS, []).await?;
        if let Some(row) = snapshot.query("SELECT now() AS now", []).await?.first() {
            snapshot.at = get(row, "now")?;
        }
        if let Some(row) = snapshot.query(ROLE, []).await?.first()
            && !get::<bool>(row, "sees_tenants")?
        {
            return Err(AuditError::TenantsHidden { role: get(row, "role")? });
        }
        snapshot.check_schema(ROLE).await
    }

    async fn check_schema(self, sql: &str) -> Result<Self, AuditError> {
        match self.query(sql, []).await?.first() {
            Some(row) if get(row, "is_migrated")? => Ok(self),
            _ => Err(AuditError::NotMigrated),
        }
    }

    /// The time of the snapshot, by the clock of the database.
    pub(super) const fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// Whether the database is SQLite. Otherwise it is Postgres.
    pub(super) fn is_sqlite(&self) -> bool {
        self.pool.is_sqlite()
    }

    /// The tenants after one, in the order of their ids.
    pub(super) async fn tenants(&self, after: Uuid) -> Result<Vec<Tenant>, StoreFailure> {
        let sql = "SELECT id, slug FROM tenants WHERE id > $1 ORDER BY id LIMIT $2";
        let rows = self.query(sql, [after.into(), TENANTS_PER_PAGE.into()]).await?;
        let tenant = |row| Ok(Tenant { id: get::<Uuid>(row, "id")?.into(), slug: get(row, "slug")? });
        rows.iter().map(tenant).collect()
    }

    /// The tenant with this slug.
    pub(super) async fn tenant_id(&self, slug: &str) -> Result<Option<TenantId>, StoreFailure> {
        let rows = self.query("SELECT id FROM tenants WHERE slug = $1", [slug.into()]).await?;
        rows.first().map(|row| Ok(get::<Uuid>(row, "id")?.into())).transpose()
    }

    /// The slug of a tenant.
    pub(super) async fn slug(&self, tenant: Uuid) -> Result<Option<String>, StoreFailure> {
        let rows = self.query("SELECT slug FROM tenants WHERE id = $1", [tenant.into()]).await?;
        rows.first().map(|row| get(row, "slug")).transpose()
    }

    /// The rows of one tenant in this snapshot, until the next call. The transaction ends with the snapshot.
    pub(super) async fn scope(&self, tenant: TenantId) -> Result<Scope, StoreFailure> {
        if !self.is_sqlite() {
            let sql = "SELECT set_config('app.tenant_id', $1, true)";
            self.query(sql, [tenant.to_string().into()]).await?;
        }
        let span = self.pool.operation_span("audit");
        Ok(Scope::new(span, self.transaction.clone(), (tenant, self.at), self.pool))
    }

    /// A query without a tenant: over the catalog, or over a table whose rows the owner may see.
    pub(super) async fn query<const N: usize>(
        &self,
        sql: &str,
        values: [Value; N],
    ) -> Result<Vec<QueryResult>, StoreFailure> {
        let backend = self.transaction.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        self.transaction.query_all_raw(statement).await.map_err(store_failure)
    }

    /// Ends the transaction.
    pub(super) async fn end(self) -> Result<(), StoreFailure> {
        self.transaction.commit().await.map_err(store_failure)
    }
}
