//! Begins a transaction in the scope of one tenant.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use glasshouse_domain::failure::{Corrupt, StoreFailure};
use glasshouse_domain::id::{TenantId, UserId};
use glasshouse_domain::values::Slug;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::Pool;
use super::caller_check::CurrentAuthority;
use super::open_transaction::OpenTransaction;
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
pub(super) enum Binding<'a> {
    /// No tenant. Row-level security hides all rows.
    None,
    Tenant(TenantKey<'a>),
    /// The tenant of a caller, whose authority is looked up in the same statement.
    Caller(TenantId, UserId),
}

/// What the beginning of a transaction returns.
pub(super) struct Bound {
    /// The nil id, if there is no such tenant.
    pub(super) tenant: TenantId,
    /// The time of the database. SQLite has no clock but that of this process.
    pub(super) now: OffsetDateTime,
    /// That of an active [`Binding::Caller`].
    caller: Option<Authority>,
}

/// The role and the session generation of an active user, as they are stored.
pub(super) type Authority = (String, i32);

/// The name of the beginning of a transaction on Postgres in telemetry. The procedure binds the transaction to a tenant, sets
/// its limits, and reads the clock.
const BEGIN_SCOPE: &str = "BEGIN; CALL begin_scope(...)";

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
            Access::Write => self.sqlite_write_permit().await?.map(Arc::new),
        };
        let begin = self.retried_once(|| async {
            if self.is_sqlite() {
                return self.begin_sqlite(access, binding, permit.clone()).await;
            }
            let begun = self.begin_postgres(binding).await?;
            if let Some(delay) = self.injected_delay.next() {
                begun.0.execute_raw(sleep(delay)).await?;
            }
            Ok(begun)
        });
        let (transaction, bound) = self.with_timeout(begin).await?;
        let scope = Scope::new(span, Arc::new(transaction), (bound.tenant, bound.now), self);
        Ok((scope, current(bound.caller)?))
    }

    async fn begin_sqlite(
        &self,
        access: Access,
        binding: Binding<'_>,
        permit: Option<Arc<OwnedSemaphorePermit>>,
    ) -> Result<(OpenTransaction, Bound), DbErr> {
        self.check_file().await?;
        let transaction = OpenTransaction::on(DbBackend::Sqlite, self.acquire().await?, permit);
        // A deferred transaction that writes later can fail immediately with SQLITE_BUSY, regardless of the busy timeout.
        // Write transactions therefore begin as writers.
        let begin = match access {
            Access::Read => "BEGIN DEFERRED",
            Access::Write => "BEGIN IMMEDIATE",
        };
        transaction.execute_unprepared(begin).await?;
        let (tenant, caller) = match binding {
            Binding::None => (Uuid::nil().into(), None),
            Binding::Tenant(key) => (sqlite_tenant(&transaction, key).await?, None),
            Binding::Caller(tenant, user) => {
                let row = transaction.query_one_raw(sqlite_authority(tenant, user)).await?;
                (tenant, row.map_or(Ok(None), |row| authority(&row, ""))?)
            }
        };
        Ok((transaction, Bound { tenant, now: clock::now(), caller }))
    }

    /// Begins a transaction, binds it to a tenant, sets its limits, and reads the time, in one round trip. From then on,
    /// row-level security shows only this tenant's rows.
    pub(super) async fn begin_postgres(
        &self,
        binding: Binding<'_>,
    ) -> Result<(OpenTransaction, Bound), DbErr> {
        let transaction = OpenTransaction::on(DbBackend::Postgres, self.acquire().await?, None);
        let row = transaction.first_unprepared(BEGIN_SCOPE, self.begin_scope(binding)).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the binding of a transaction".to_owned()))?;
        let tenant: Option<Uuid> = row.try_get("", "tenant")?;
        let micros: i64 = row.try_get("", "now_us")?;
        let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
            .map_err(|error| DbErr::Type(error.to_string()))?;
        let caller = authority(&row, "")?;
        Ok((transaction, Bound { tenant: tenant.unwrap_or_else(Uuid::nil).into(), now, caller }))
    }

    /// The statements that begin a transaction. Several statements in one round trip cannot be prepared, so their values are
    /// part of the text: numbers, ids, and text in hexadecimal digits.
    fn begin_scope(&self, binding: Binding<'_>) -> String {
        let id = |id: Uuid| format!("'{id}'");
        let none = || "NULL".to_owned();
        let (slug, caller, tenant) = match binding {
            Binding::None => (none(), none(), none()),
            Binding::Tenant(TenantKey::Id(tenant)) => (none(), none(), id(tenant.uuid())),
            Binding::Tenant(TenantKey::Slug(slug)) => (text(slug.as_str()), none(), none()),
            Binding::Caller(tenant, user) => (none(), id(user.uuid()), id(tenant.uuid())),
        };
        let (statement_ms, idle_ms) = (self.limits.statement_ms(), self.limits.idle_ms());
        // Without a quote: a name of ours, and the digits of a trace id.
        let settings = format!("'{statement_ms}', '{idle_ms}', '{}'", application_name());
        format!("BEGIN; CALL begin_scope({settings}, {slug}, {caller}, {tenant}, NULL, NULL, NULL)")
    }
}

/// An expression of SQL for a text, whatever it contains.
fn text(text: &str) -> String {
    let mut digits = String::with_capacity(2 * text.len());
    for byte in text.bytes() {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    format!("convert_from(decode('{digits}', 'hex'), 'UTF8')")
}

/// The `application_name` of the session, which correlates `pg_stat_activity` and the log of the server with the trace.
pub(super) fn application_name() -> String {
    match propagation::trace_id() {
        Some(trace_id) => format!("glasshouse/{trace_id}"),
        None => "glasshouse".to_owned(),
    }
}

/// The authority in a row whose columns have this prefix; `None` if it has none.
pub(super) fn authority(row: &QueryResult, prefix: &str) -> Result<Option<Authority>, DbErr> {
    let role: Option<String> = row.try_get(prefix, "role")?;
    let sessions: Option<i32> = row.try_get(prefix, "session_generation")?;
    Ok(role.zip(sessions))
}

/// Converts what is stored of a user's authority.
pub(super) fn current(stored: Option<Authority>) -> Result<Option<CurrentAuthority>, Corrupt> {
    stored.map(|(role, sessions)| Ok((role.parse()?, sessions.into()))).transpose()
}

/// Looks up the tenant. SQLite has no row-level security: the filters of [`Scope`] alone isolate tenants.
async fn sqlite_tenant(transaction: &OpenTransaction, tenant: TenantKey<'_>) -> Result<TenantId, DbErr> {
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

/// The query for the authority of an active user.
pub(super) fn sqlite_authority(tenant: TenantId, user: UserId) -> Statement {
    let sql = "SELECT role, session_generation FROM users WHERE tenant_id = ? AND id = ? AND active";
    let values = [tenant.uuid().into(), user.uuid().into()];
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

/// A statement with this duration, for fault injection.
pub(super) fn sleep(delay: Duration) -> Statement {
    let (sql, seconds) = ("SELECT pg_sleep($1)", delay.as_secs_f64());
    Statement::from_sql_and_values(DbBackend::Postgres, sql, [seconds.into()])
}
