//! What is asked before a tenant is known: sign-up, login, and which work is due for anybody.
//!
//! On Postgres the service's role sees no row without a tenant. The questions here go through functions that
//! answer one question each (see the migration `m0002_tenant_isolation`).

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{PaymentId, TenantId};
use glasshouse_domain::login::{Credentials, LoginStore};
use glasshouse_domain::outbox::OutboxMessage;
use glasshouse_domain::sign_up::{SignUpError, SignUpStore};
use glasshouse_domain::tenant::Tenant;
use glasshouse_domain::user::User;
use glasshouse_domain::values::{Email, PasswordHash, Slug};
use glasshouse_telemetry::with_causes;
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryResult, Statement, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Database;
use super::entity::{tenant, user};
use super::failure::store_failure;
use super::users;

impl SignUpStore for Database {
    async fn create_tenant(
        &self,
        tenant: &Tenant,
        owner: &User,
        owner_password: &PasswordHash,
    ) -> Result<(), SignUpError> {
        let scope = self.tenant(tenant.id).write("create_tenant").await?;
        let row = tenant::Model {
            id: tenant.id.uuid(),
            slug: tenant.slug.as_str().to_owned(),
            name: tenant.name.as_str().to_owned(),
            plan: tenant.plan.as_str().to_owned(),
            created_at: tenant.created_at,
        };
        if scope.insert_checked(row).await?.is_err() {
            return Err(SignUpError::SlugTaken);
        }
        scope.insert([users::row(owner, owner_password, tenant.id.uuid())]).await?;
        Ok(scope.commit().await?)
    }
}

impl LoginStore for Database {
    async fn credentials(&self, slug: &Slug, email: &Email) -> Result<Option<Credentials>, StoreFailure> {
        let scope = self.read_by_slug("credentials", slug).await?;
        let query = scope.find::<user::Entity>().filter(user::Column::Email.eq(email.as_str()));
        let row = scope.one_row(query).await?;
        scope.commit().await?;
        Ok(row.map(|row| Credentials {
            tenant: row.tenant_id.into(),
            user: row.id.into(),
            password: PasswordHash::new(row.password_hash),
            active: row.active,
        }))
    }
}

/// Work that is due, taken for a while: if it is not finished by `until`, somebody else may take it.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// Now.
    pub due: OffsetDateTime,
    /// When the lease ends.
    pub until: OffsetDateTime,
    /// At most so many items.
    pub at_most: u32,
}

/// A payment that is not settled, or not refunded though it should be.
#[derive(Clone, Debug)]
pub struct OpenPayment {
    /// Whose payment it is.
    pub tenant: TenantId,
    /// Which payment.
    pub payment: PaymentId,
    /// The trace of the request that opened it, as a W3C `traceparent`.
    pub traceparent: Option<String>,
}

impl Database {
    /// Leases undelivered messages of all tenants, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_outbox_messages(&self, lease: Lease) -> Result<Vec<OutboxMessage>, StoreFailure> {
        let sqlite = "UPDATE outbox_messages SET available_at = $2, attempts = attempts + 1 WHERE id IN ( \
                          SELECT id FROM outbox_messages WHERE delivered_at IS NULL AND available_at <= $1 \
                          ORDER BY available_at LIMIT $3) \
                      RETURNING id, tenant_id, event, traceparent, attempts";
        let postgres =
            "SELECT id, tenant_id, event, traceparent, attempts FROM lease_outbox_messages($1, $2, $3)";
        let rows = self.lease(sqlite, postgres, lease).await?;
        // One that cannot be read, because a newer version wrote it, must not hold up its whole batch. It stays
        // in the outbox until somebody can read it.
        let unreadable = |failure: &StoreFailure| {
            tracing::error!(error = with_causes(failure), "outbox_message_unreadable");
        };
        Ok(rows.iter().filter_map(|row| message(row).inspect_err(unreadable).ok()).collect())
    }

    /// Leases open payments of all tenants: those whose request has had its time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_open_payments(&self, lease: Lease) -> Result<Vec<OpenPayment>, StoreFailure> {
        let sqlite = "UPDATE payments SET reconcile_at = $2 WHERE id IN ( \
                          SELECT id FROM payments \
                          WHERE (state = 'pending' OR (state = 'succeeded' AND refund_requested_at IS NOT NULL)) \
                            AND reconcile_at <= $1 ORDER BY reconcile_at LIMIT $3) \
                      RETURNING id, tenant_id, traceparent";
        let postgres = "SELECT id, tenant_id, traceparent FROM lease_open_payments($1, $2, $3)";
        let rows = self.lease(sqlite, postgres, lease).await?;
        rows.iter()
            .map(|row| {
                Ok(OpenPayment {
                    tenant: get::<Uuid>(row, "tenant_id")?.into(),
                    payment: get::<Uuid>(row, "id")?.into(),
                    traceparent: get(row, "traceparent")?,
                })
            })
            .collect()
    }

    async fn lease(
        &self,
        sqlite: &str,
        postgres: &str,
        lease: Lease,
    ) -> Result<Vec<QueryResult>, StoreFailure> {
        let values: [Value; 3] =
            [lease.due.into(), lease.until.into(), i32::try_from(lease.at_most).unwrap_or(i32::MAX).into()];
        let _turn = self.writers_turn().await;
        let sql = if self.is_sqlite() { sqlite } else { postgres };
        let statement = Statement::from_sql_and_values(self.connection.get_database_backend(), sql, values);
        let rows = async { self.connection.query_all_raw(statement).await.map_err(store_failure) };
        self.in_time(rows).await
    }

    /// How many messages of all tenants wait for delivery, and since when the oldest does.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox_backlog(&self) -> Result<(i64, Option<OffsetDateTime>), StoreFailure> {
        let sql = if self.is_sqlite() {
            "SELECT count(*) AS pending, min(created_at) AS oldest FROM outbox_messages WHERE delivered_at IS NULL"
        } else {
            "SELECT pending, oldest FROM outbox_backlog()"
        };
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let row = self.connection.query_one_raw(statement).await.map_err(store_failure)?;
        row.map_or(Ok((0, None)), |row| Ok((get(&row, "pending")?, get(&row, "oldest")?)))
    }

    /// Forgets the idempotency keys of all tenants that are older than this.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_idempotency_keys(&self, older_than: OffsetDateTime) -> Result<(), StoreFailure> {
        let sql = if self.is_sqlite() {
            "DELETE FROM idempotency_keys WHERE created_at < $1"
        } else {
            "SELECT forget_idempotency_keys($1)"
        };
        let _turn = self.writers_turn().await;
        let backend = self.connection.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, [older_than.into()]);
        self.connection.execute_raw(statement).await.map_err(store_failure)?;
        Ok(())
    }
}

fn message(row: &QueryResult) -> Result<OutboxMessage, StoreFailure> {
    let event: serde_json::Value = get(row, "event")?;
    Ok(OutboxMessage {
        id: get::<Uuid>(row, "id")?.into(),
        tenant: get::<Uuid>(row, "tenant_id")?.into(),
        event: serde_json::from_value(event).map_err(|error| StoreFailure::Unexpected(error.into()))?,
        traceparent: get(row, "traceparent")?,
        attempt: u32::try_from(get::<i32>(row, "attempts")?).unwrap_or(u32::MAX),
    })
}

fn get<T: sea_orm::TryGetable>(row: &QueryResult, column: &str) -> Result<T, StoreFailure> {
    row.try_get("", column).map_err(store_failure)
}
