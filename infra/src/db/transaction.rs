//! Begins a transaction in the scope of one tenant.

use std::time::{Duration, Instant};

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::TenantId;
use glasshouse_domain::values::Slug;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::Pool;
use super::scope::Scope;
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
        self.begin_in(span.clone(), access, tenant).instrument(span).await
    }

    async fn begin_in(
        &self,
        span: Span,
        access: Access,
        tenant: TenantKey<'_>,
    ) -> Result<Scope, StoreFailure> {
        let permit = match access {
            Access::Read => None,
            Access::Write => self.sqlite_write_permit().await,
        };
        let begin = self.retried_once(|| self.try_begin(access, tenant));
        let (transaction, tenant) = self.with_timeout(begin).await?;
        Ok(Scope::new(span, transaction, tenant, self.suspicion.clone(), permit))
    }

    async fn try_begin(
        &self,
        access: Access,
        tenant: TenantKey<'_>,
    ) -> Result<(DatabaseTransaction, TenantId), DbErr> {
        // A deferred SQLite transaction that writes later can fail immediately with SQLITE_BUSY, regardless of the busy
        // timeout. Write transactions therefore begin as writers.
        let mode = match access {
            Access::Read => SqliteTransactionMode::Deferred,
            Access::Write => SqliteTransactionMode::Immediate,
        };
        let options =
            TransactionOptions { sqlite_transaction_mode: Some(mode), ..TransactionOptions::default() };
        let started = Instant::now();
        let begun = self.connection.begin_with_options(options).await;
        self.metrics.acquired(started.elapsed());
        let transaction = begun?;
        let tenant = if self.is_sqlite() {
            sqlite_tenant(&transaction, tenant).await?
        } else {
            self.set_tenant(&transaction, tenant).await?
        };
        if let Some(delay) = self.injected_delay.next() {
            sleep_in_database(&transaction, delay).await?;
        }
        Ok((transaction, tenant))
    }

    /// Binds the transaction to a tenant, and sets its limits. From then on, row-level security shows only this tenant's
    /// rows.
    async fn set_tenant(
        &self,
        transaction: &DatabaseTransaction,
        tenant: TenantKey<'_>,
    ) -> Result<TenantId, DbErr> {
        let (id, key) = match tenant {
            TenantKey::Id(tenant) => ("$1", tenant.to_string()),
            TenantKey::Slug(slug) => ("tenant_id_by_slug($1)::text", slug.to_string()),
        };
        let sql = format!(
            "SELECT {}, set_config('application_name', $2, true), set_config('app.tenant_id', {id}, true) AS tenant",
            self.limits.as_columns()
        );
        // Correlates `pg_stat_activity` and the log of the server with the trace.
        let application_name = match propagation::trace_id() {
            Some(trace_id) => format!("glasshouse/{trace_id}"),
            None => "glasshouse".to_owned(),
        };
        let statement =
            Statement::from_sql_and_values(DbBackend::Postgres, sql, [key.into(), application_name.into()]);
        let row = transaction.query_one_raw(statement).await?;
        let tenant: Option<String> = row.map(|row| row.try_get("", "tenant")).transpose()?.flatten();
        Ok(tenant.and_then(|id| id.parse().ok()).unwrap_or_else(|| TenantId::from(Uuid::nil())))
    }
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

/// Executes a statement with this duration, for fault injection.
async fn sleep_in_database(transaction: &DatabaseTransaction, delay: Duration) -> Result<(), DbErr> {
    let (sql, seconds) = ("SELECT pg_sleep($1)", delay.as_secs_f64());
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [seconds.into()]);
    transaction.execute_raw(statement).await?;
    Ok(())
}
