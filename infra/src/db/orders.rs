//! The storage of orders and payments: reads them, and writes new ones.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{OrderId, PaymentId};
use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::page::{Page, PageRequest};
use glasshouse_domain::payment::{Payment, PaymentState};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, LockType, Query, SelectStatement};
use sea_orm::{ColumnTrait, QueryFilter, QueryResult, QuerySelect, QueryTrait, Select, UpdateMany};

use super::TenantStore;
use super::entity::order_item::StoredItem;
use super::entity::{TenantQueries, order, order_item, payment};
use super::failure::store_failure;
use super::read::overfetched;
use super::scope::Scope;
use glasshouse_telemetry::propagation;

impl TenantStore {
    /// One order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreFailure> {
        let read = self.read("order");
        let query = with_items(&read, read.find_by_id(id.uuid()));
        Ok(orders_in(&read.rows(query).await?)?.into_iter().next())
    }

    /// A page of orders, newest first, optionally only those in one state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orders(
        &self,
        page: PageRequest,
        state: Option<OrderState>,
    ) -> Result<Page<Order>, StoreFailure> {
        let read = self.read("orders");
        let mut query = read.find();
        if let Some(state) = state {
            query = query.filter(order::Column::State.eq(state.as_str()));
        }
        let query = with_items(&read, overfetched(query, page));
        let orders = orders_in(&read.rows(query).await?)?;
        Ok(Page::from_overfetched(orders, page.limit, |order| order.id.uuid()))
    }

    /// The payments of an order; `None` if there is no such order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn payments_of(&self, order: OrderId) -> Result<Option<Vec<Payment>>, StoreFailure> {
        let read = self.read("payments_of");
        let query = read.find::<payment::Entity>().filter(payment::Column::OrderId.eq(order.uuid()));
        let payments: Vec<Payment> = read.all(query).await?;
        // Every order is written together with its payment.
        Ok(Some(payments).filter(|payments| !payments.is_empty()))
    }

    /// A payment and the state of its order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<(Payment, OrderState)>, StoreFailure> {
        let read = self.read("payment");
        let query = read.find_with::<payment::Entity, order::Entity>();
        let found = read.one_pair(query.filter(payment::Column::Id.eq(id.uuid()))).await?;
        let payment = |row| {
            let (payment, order) = payment_and_order(row)?;
            Ok((payment, order.state.parse()?))
        };
        found.map(payment).transpose()
    }
}

impl Scope {
    /// One order with its items.
    pub(super) async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreFailure> {
        let query = with_items(self, self.find_by_id(id.uuid()));
        Ok(orders_in(&self.rows(&query).await?)?.into_iter().next())
    }

    /// An order's row with its items.
    pub(super) async fn with_items(&self, row: order::Model) -> Result<Order, StoreFailure> {
        let query = self.find::<order_item::Entity>().select_only().columns(StoredItem::COLUMNS);
        let query = query.filter(order_item::Column::OrderId.eq(row.id)).into_query();
        let items = self.rows(&query).await?;
        let items = items.iter().filter_map(|row| StoredItem::of(row).transpose());
        Ok(row.with_items(items.collect::<Result<_, _>>().map_err(store_failure)?)?)
    }

    /// Writes a new order, its items and its pending payment at the commit.
    pub(super) fn insert_order(&self, order: &Order, payment: PaymentId, reconcile_after: Duration) {
        let rows = NewOrderRows::new(self.tenant().uuid(), order, payment, reconcile_after);
        self.insert_at_commit([rows.order]);
        self.insert_at_commit(rows.items);
        self.insert_at_commit([rows.payment]);
    }

    /// The payment that matches `filter` and its order, locked until the end of this transaction.
    pub(super) async fn lock_payment_and_order(
        &self,
        filter: Expr,
    ) -> Result<Option<(Payment, order::Model)>, StoreFailure> {
        // An inner join, because Postgres does not lock rows of the nullable side of an outer join.
        let query = self.find_with::<payment::Entity, order::Entity>().filter(filter).lock(LockType::Update);
        self.one_pair(query).await?.map(payment_and_order).transpose()
    }

    /// Sets the state of an order at the commit.
    pub(super) fn set_order_state(&self, id: OrderId, state: OrderState) {
        self.update_at_commit(self.order_in_state(id, state));
    }

    /// An update of the state of an order.
    pub(super) fn order_in_state(&self, id: OrderId, state: OrderState) -> UpdateMany<order::Entity> {
        self.update_by_id(id.uuid()).col_expr(order::Column::State, state.as_str().into())
    }
}

/// A query for orders and their items: a row for each item, with the columns of the item, and then those of its order.
fn with_items(tenant: &impl TenantQueries, orders: Select<order::Entity>) -> SelectStatement {
    let item = |column| Expr::col((order_item::Entity, column));
    let of_order = item(order_item::Column::OrderId).eq(Expr::col((order::Entity, order::Column::Id)));
    let of_tenant = item(order_item::Column::TenantId).eq(tenant.tenant_id());
    Query::select()
        .exprs(StoredItem::COLUMNS.map(item))
        .columns(order::Model::COLUMNS.map(|column| (order::Entity, column)))
        .from_subquery(orders.into_query(), order::Entity)
        .join(JoinType::LeftJoin, order_item::Entity, of_order.and(of_tenant))
        .take()
}

/// The orders in the rows of [`with_items`], newest first.
fn orders_in(rows: &[QueryResult]) -> Result<Vec<Order>, StoreFailure> {
    const ORDER: usize = StoredItem::COLUMNS.len();
    let mut orders = BTreeMap::new();
    for row in rows {
        let id = order::Model::id_of(row, ORDER).map_err(store_failure)?;
        let (_, items) = match orders.entry(Reverse(id)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let order = order::Model::of(row, ORDER).map_err(store_failure)?;
                entry.insert((order, Vec::new()))
            }
        };
        items.extend(StoredItem::of(row).map_err(store_failure)?);
    }
    let orders = orders.into_values().map(|(order, items)| Ok(order.with_items(items)?));
    orders.collect()
}

fn payment_and_order(
    (payment, order): (payment::Model, order::Model),
) -> Result<(Payment, order::Model), StoreFailure> {
    Ok((payment.try_into()?, order))
}

/// The rows of a new order.
pub(super) struct NewOrderRows {
    pub(super) order: order::Model,
    pub(super) items: Vec<order_item::Model>,
    pub(super) payment: payment::Model,
}

impl NewOrderRows {
    /// The rows of `order`. Its payment is due for the reconciler after `reconcile_after`.
    pub(super) fn new(
        tenant_id: uuid::Uuid,
        order: &Order,
        payment: PaymentId,
        reconcile_after: Duration,
    ) -> Self {
        let currency = order.total.currency().to_string();
        let items = order.items.iter().map(|item| order_item::Model {
            order_id: order.id.uuid(),
            product_id: item.product.uuid(),
            tenant_id,
            sku: item.sku.as_str().to_owned(),
            name: item.name.as_str().to_owned(),
            unit_price_minor: item.unit_price.minor(),
            quantity: item.quantity.get(),
        });
        Self {
            items: items.collect(),
            order: order::Model {
                id: order.id.uuid(),
                tenant_id,
                placed_by: order.placed_by.uuid(),
                state: order.state.as_str().to_owned(),
                total_minor: order.total.minor(),
                currency: currency.clone(),
                created_at: order.created_at,
            },
            payment: payment::Model {
                id: payment.uuid(),
                tenant_id,
                order_id: order.id.uuid(),
                amount_minor: order.total.minor(),
                currency,
                state: PaymentState::Pending.as_str().to_owned(),
                decline_reason: None,
                refund_requested_at: None,
                reconcile_at: order.created_at + reconcile_after,
                traceparent: propagation::traceparent(),
                created_at: order.created_at,
            },
        }
    }
}
