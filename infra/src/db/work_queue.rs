//! The handle of background work: leases the due outbox messages and open payments of all tenants. Leases let any
//! number of workers run concurrently.

use std::sync::Arc;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::PaymentId;
use glasshouse_domain::outbox::{OutboxMessage, UnreadableEvent};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::pool::{DialectSql, get};
use super::{Pool, TenantStore};

/// Leases the work that is due.
#[derive(Clone, Debug)]
pub struct WorkQueue {
    pool: Arc<Pool>,
}

/// The terms of a lease.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// How long the lease lasts, from the time of the database. An item that is not finished by then is leased again.
    pub length: Duration,
    /// The maximum number of items.
    pub at_most: u32,
}

/// An item that this process has leased, with access to the rows of its tenant.
#[derive(Clone, Debug)]
pub struct Leased<T> {
    item: T,
    store: TenantStore,
}

impl<T> Leased<T> {
    /// The outbox message or open payment.
    pub const fn item(&self) -> &T {
        &self.item
    }

    /// The rows of the tenant that the item belongs to.
    pub const fn store(&self) -> &TenantStore {
        &self.store
    }
}

/// A payment that is pending, or whose requested refund is not completed.
#[derive(Clone, Debug)]
pub struct OpenPayment {
    /// The id of the payment.
    pub payment: PaymentId,
    /// The trace of the request that opened it, as a W3C `traceparent`.
    pub traceparent: Option<String>,
}

const LEASE_OUTBOX_MESSAGES: DialectSql = DialectSql {
    sqlite: "UPDATE outbox_messages SET available_at = $2, attempts = attempts + 1 WHERE id IN ( \
                 SELECT id FROM outbox_messages \
                 WHERE delivered_at IS NULL AND dead_lettered_at IS NULL AND available_at <= $1 \
                 ORDER BY available_at LIMIT $3) \
             RETURNING id, tenant_id, event, traceparent, attempts",
    postgres: "SELECT id, tenant_id, event, traceparent, attempts FROM lease_outbox_messages($1, $2, $3)",
};

const LEASE_OPEN_PAYMENTS: DialectSql = DialectSql {
    sqlite: "UPDATE payments SET reconcile_at = $2 WHERE id IN ( \
                 SELECT id FROM payments \
                 WHERE (state = 'pending' OR (state = 'succeeded' AND refund_requested_at IS NOT NULL)) \
                   AND reconcile_at <= $1 ORDER BY reconcile_at LIMIT $3) \
             RETURNING id, tenant_id, traceparent",
    postgres: "SELECT id, tenant_id, traceparent FROM lease_open_payments($1, $2, $3)",
};

impl WorkQueue {
    pub(super) const fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Leases undelivered outbox messages of all tenants, oldest first. Dead letters are not leased.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_outbox_messages(
        &self,
        lease: Lease,
    ) -> Result<Vec<Leased<OutboxMessage>>, StoreFailure> {
        let rows = self.lease(LEASE_OUTBOX_MESSAGES, lease).await?;
        rows.iter().map(|row| self.leased(row, outbox_message)).collect()
    }

    /// Leases open payments of all tenants that no request is working on any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_open_payments(&self, lease: Lease) -> Result<Vec<Leased<OpenPayment>>, StoreFailure> {
        let rows = self.lease(LEASE_OPEN_PAYMENTS, lease).await?;
        rows.iter().map(|row| self.leased(row, open_payment)).collect()
    }

    async fn lease(&self, sql: DialectSql, lease: Lease) -> Result<Vec<QueryResult>, StoreFailure> {
        let at_most = i32::try_from(lease.at_most).unwrap_or(i32::MAX);
        let _permit = self.pool.sqlite_write_permit().await?;
        self.pool.query(sql, |now| [now.into(), (now + lease.length).into(), at_most.into()]).await
    }

    /// An item with access to the tenant of its row.
    fn leased<T>(
        &self,
        row: &QueryResult,
        item: fn(&QueryResult) -> Result<T, StoreFailure>,
    ) -> Result<Leased<T>, StoreFailure> {
        let tenant = get::<Uuid>(row, "tenant_id")?.into();
        Ok(Leased { item: item(row)?, store: TenantStore::open(self.pool.clone(), tenant) })
    }
}

fn outbox_message(row: &QueryResult) -> Result<OutboxMessage, StoreFailure> {
    let event: serde_json::Value = get(row, "event")?;
    Ok(OutboxMessage {
        id: get::<Uuid>(row, "id")?.into(),
        event: serde_json::from_value(event).map_err(|error| UnreadableEvent(error.to_string())),
        traceparent: get(row, "traceparent")?,
        attempt: u32::try_from(get::<i32>(row, "attempts")?).unwrap_or(u32::MAX),
    })
}

fn open_payment(row: &QueryResult) -> Result<OpenPayment, StoreFailure> {
    Ok(OpenPayment { payment: get::<Uuid>(row, "id")?.into(), traceparent: get(row, "traceparent")? })
}
