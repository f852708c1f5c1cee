//! Begins a transaction in the scope of one tenant.

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{TenantId, UserId};
use glasshouse_domain::values::Slug;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
};
use time::OffsetDateTime;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::Pool;
use super::caller_check::CurrentAuthority;
use super::limits::NOW;
use super::scope::Scope;
use crate::clock;
use glasshouse_telemetry::propagation;

/// The access mode of a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// The key by which a transaction identifies its tenant.
#[derive(Clone, Copy)]
pub(super) enum TenantKey<'a> {
    Id(TenantId),
    Slug(&'a Slug),
}

/// What a transaction is bound to.
#[derive(Clone, Copy)]
enum Binding<'a> {
    Tenant(TenantKey<'a>),
    /// The tenant of a caller, whose authority is looked up in the same statement.
    Caller(TenantId, UserId),
}

/// What the statement that binds a transaction returns.
struct Bound {
    tenant: TenantId,
    /// The time of the database. SQLite has no clock but that of this process.
    now: OffsetDateTime,
    /// The role and session generation of an active [`Binding::Caller`].
    caller: Option<(String, i32)>,
}

impl Pool {
    /// Begins a transaction of one tenant, and the client span `operation` of all its statements. For a tenant that
    /// does not exist it takes the same round trips, and sees no rows.
    pub(super) async fn begin(
        &self,
        operation: &'static str,
        access: Access,
        tenant: TenantKey<'_>,
    ) -> Result<Scope, StoreFailure> {
        let span = self.operation_span(operation);
        let begin = self.begin_in(span.clone(), access, Binding::Tenant(tenant));
        Ok(begin.instrument(span).await?.0)
    }

    /// Begins a transaction of a caller, and returns the caller's current role and sessions; `None` if the user is not
    /// active. On Postgres it takes the same round trips as [`begin`](Self::begin).
    pub(super) async fn begin_as(
        &self,
        operation: &'static str,
        access: Access,
        (tenant, user): (TenantId, UserId),
    ) -> Result<(Scope, Option<CurrentAuthority>), StoreFailure> {
        let span = self.operation_span(operation);
        self.begin_in(span.clone(), access, Binding::Caller(tenant, user)).instrument(span).await
    }

    async fn begin_in(
        &self,
        span: Span,
        access: Access,
        binding: Binding<'_>,
    ) -> Result<(Scope, Option<CurrentAuthority>), StoreFailure> {
        let permit = match access {
            Access::Read => None,
            Access::Write => self.sqlite_write_permit().await?,
        };
        let begin = self.retried_once(|| self.try_begin(access, binding));
        let (transaction, bound) = self.with_timeout(begin).await?;
        let scope = Scope::new(span, transaction, (bound.tenant, bound.now), self, permit);
        let Some((role, sessions)) = bound.caller else { return Ok((scope, None)) };
        Ok((scope, Some((role.parse()?, sessions.into()))))
    }

    async fn try_begin(
        &self,
        access: Access,
        binding: Binding<'_>,
    ) -> Result<(DatabaseTransaction, Bound), DbErr> {
        // A deferred SQLite transaction that writes later can fail immediately with SQLITE_BUSY, regardless of the busy
        // timeout. Write transactions therefore begin as writers.
        let mode = match access {
            Access::Read => SqliteTransactionMode::Deferred,
            Access::Write => SqliteTransactionMode::Immediate,
        };
        let options =
            TransactionOptions { sqlite_transaction_mode: Some(mode), ..TransactionOptions::default() };
        self.check_file().await?;
        let waiting = self.queue_delay.wait_for_connection();
        let begun = self.connection.begin_with_options(options).await;
        self.metrics.acquired(waiting.elapsed());
        drop(waiting);
        let transaction = begun?;
        let bound = match binding {
            Binding::Tenant(key) if self.is_sqlite() => {
                let tenant = sqlite_tenant(&transaction, key).await?;
                Bound { tenant, now: clock::now(), caller: None }
            }
            Binding::Caller(tenant, user) if self.is_sqlite() => {
                let caller = sqlite_authority(&transaction, tenant, user).await?;
                Bound { tenant, now: clock::now(), caller }
            }
            binding => self.set_tenant(&transaction, binding).await?,
        };
        if let Some(delay) = self.injected_delay.next() {
            sleep_in_database(&transaction, delay).await?;
        }
        Ok((transaction, bound))
    }

    /// Binds the transaction to a tenant, sets its limits, and reads the time. From then on, row-level security shows only this tenant's
    /// rows.
    async fn set_tenant(
        &self,
        transaction: &DatabaseTransaction,
        binding: Binding<'_>,
    ) -> Result<Bound, DbErr> {
        let (id, key) = match binding {
            Binding::Tenant(TenantKey::Slug(slug)) => ("tenant_id_by_slug($1)::text", slug.to_string()),
            Binding::Tenant(TenantKey::Id(tenant)) | Binding::Caller(tenant, _) => ("$1", tenant.to_string()),
        };
        let limits = self.limits.as_columns();
        let settings = format!(
            "SELECT {limits}, {NOW}, set_config('application_name', $2, true), set_config('app.tenant_id', {id}, true) AS tenant"
        );
        let sql = match binding {
            Binding::Tenant(_) => settings,
            // The argument of the function makes Postgres evaluate the settings before it.
            Binding::Caller(..) => format!(
                "SELECT tenant, now, caller.role, caller.session_generation FROM ({settings}) AS settings \
                 LEFT JOIN LATERAL caller_authority(tenant::uuid, $3) AS caller ON true"
            ),
        };
        // Correlates `pg_stat_activity` and the log of the server with the trace.
        let application_name = match propagation::trace_id() {
            Some(trace_id) => format!("glasshouse/{trace_id}"),
            None => "glasshouse".to_owned(),
        };
        let mut values: Vec<Value> = vec![key.into(), application_name.into()];
        if let Binding::Caller(_, user) = binding {
            values.push(user.uuid().into());
        }
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        let row = transaction.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the binding of a transaction".to_owned()))?;
        let tenant: Option<String> = row.try_get("", "tenant")?;
        let tenant = tenant.and_then(|id| id.parse().ok()).unwrap_or_else(|| TenantId::from(Uuid::nil()));
        let caller = match binding {
            Binding::Tenant(_) => None,
            Binding::Caller(..) => authority(&row)?,
        };
        Ok(Bound { tenant, now: row.try_get("", "now")?, caller })
    }
}

/// The role and the session generation in a row; `None` if it has none.
fn authority(row: &QueryResult) -> Result<Option<(String, i32)>, DbErr> {
    let role: Option<String> = row.try_get("", "role")?;
    let sessions: Option<i32> = row.try_get("", "session_generation")?;
    Ok(role.zip(sessions))
}

/// Looks up the tenant. SQLite has no row-level security: the filters of [`Scope`] alone isolate tenants.
async fn sqlite_tenant(transaction: &DatabaseTransaction, tenant: TenantKey<'_>) -> Result<TenantId, DbErr> {
    let slug = match tenant {
        TenantKey::Id(tenant) => return Ok(tenant),
        TenantKey::Slug(slug) => slug.to_string(),
    };
    let sql = "SELECT id FROM tenants WHERE slug = ?";
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, [slug.into()]);
    let row = transaction.query_one_raw(statement).await?;
    let id: Option<Uuid> = row.map(|row| row.try_get("", "id")).transpose()?;
    Ok(id.unwrap_or_else(Uuid::nil).into())
}

/// Looks up the authority of an active user.
async fn sqlite_authority(
    transaction: &DatabaseTransaction,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<(String, i32)>, DbErr> {
    let sql = "SELECT role, session_generation FROM users WHERE tenant_id = ? AND id = ? AND active";
    let values = [tenant.uuid().into(), user.uuid().into()];
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    let row = transaction.query_one_raw(statement).await?;
    row.as_ref().map_or(Ok(None), authority)
}

/// Executes a statement with this duration, for fault injection.
async fn sleep_in_database(transaction: &DatabaseTransaction, delay: Duration) -> Result<(), DbErr> {
    let (sql, seconds) = ("SELECT pg_sleep($1)", delay.as_secs_f64());
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [seconds.into()]);
    transaction.execute_raw(statement).await?;
    Ok(())
}
