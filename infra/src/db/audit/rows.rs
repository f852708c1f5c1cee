//! How many rows of a tenant the checks examine.

use glasshouse_domain::failure::StoreFailure;
use time::OffsetDateTime;

use crate::db::pool::get;
use crate::db::scope::Scope;

/// A table that checks examine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Orders,
    /// The orders whose messages are not deleted yet.
    RetainedOrders,
    OrderItems,
    Payments,
    /// The products whose received units are recorded.
    Products,
    OutboxMessages,
    IdempotencyKeys,
    /// The idempotency keys with a response.
    StoredResponses,
}

/// The numbers of a tenant's rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rows {
    orders: u64,
    retained_orders: u64,
    order_items: u64,
    payments: u64,
    products: u64,
    outbox_messages: u64,
    idempotency_keys: u64,
    stored_responses: u64,
    /// Products of a version that did not record the units that came in.
    pub(super) products_without_record: u64,
}

const COUNT: &str = "\
    SELECT (SELECT count(*) FROM orders WHERE tenant_id = $1) AS orders, \
           (SELECT count(*) FROM orders WHERE tenant_id = $1 AND created_at >= $2) AS retained_orders, \
           (SELECT count(*) FROM order_items WHERE tenant_id = $1) AS order_items, \
           (SELECT count(*) FROM payments WHERE tenant_id = $1) AS payments, \
           (SELECT count(received) FROM products WHERE tenant_id = $1) AS products, \
           (SELECT count(*) FROM products WHERE tenant_id = $1 AND received IS NULL) AS products_without_record, \
           (SELECT count(*) FROM outbox_messages WHERE tenant_id = $1) AS outbox_messages, \
           (SELECT count(*) FROM idempotent_requests WHERE tenant_id = $1) \
               + (SELECT count(subject_id) FROM idempotency_keys WHERE tenant_id = $1) AS idempotency_keys, \
           (SELECT count(body) FROM idempotent_requests WHERE tenant_id = $1) AS stored_responses";

impl Rows {
    /// Counts the rows of the tenant of a scope.
    pub(super) async fn count(scope: &Scope, retained_since: OffsetDateTime) -> Result<Self, StoreFailure> {
        let rows = scope.query(COUNT, [retained_since.into()]).await?;
        let Some(row) = rows.first() else { return Ok(Self::default()) };
        let number = |column| Ok::<_, StoreFailure>(u64::try_from(get::<i64>(row, column)?).unwrap_or(0));
        Ok(Self {
            orders: number("orders")?,
            retained_orders: number("retained_orders")?,
            order_items: number("order_items")?,
            payments: number("payments")?,
            products: number("products")?,
            outbox_messages: number("outbox_messages")?,
            idempotency_keys: number("idempotency_keys")?,
            stored_responses: number("stored_responses")?,
            products_without_record: number("products_without_record")?,
        })
    }

    /// The number of rows of a table.
    pub(super) const fn of(&self, table: Table) -> u64 {
        match table {
            Table::Orders => self.orders,
            Table::RetainedOrders => self.retained_orders,
            Table::OrderItems => self.order_items,
            Table::Payments => self.payments,
            Table::Products => self.products,
            Table::OutboxMessages => self.outbox_messages,
            Table::IdempotencyKeys => self.idempotency_keys,
            Table::StoredResponses => self.stored_responses,
        }
    }
}
