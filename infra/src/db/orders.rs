//! Orders and payments: reading them, and writing a new one.

use glasshouse_domain::failure::{Corrupt, StoreFailure};
use glasshouse_domain::id::{OrderId, PaymentId};
use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::page::{Page, PageRequest};
use glasshouse_domain::payment::{Payment, PaymentState};
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use time::Duration;

use super::entity::{order, order_item, payment};
use super::scope::{Scope, TenantStore};
use crate::clock;
use glasshouse_telemetry::propagation;

impl TenantStore {
    /// One order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreFailure> {
        let scope = self.read("order").await?;
        let order = scope.order(id).await?;
        scope.commit().await?;
        Ok(order)
    }

    /// A page of orders, newest first, perhaps of one state only.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orders(
        &self,
        page: PageRequest,
        state: Option<OrderState>,
    ) -> Result<Page<Order>, StoreFailure> {
        let scope = self.read("orders").await?;
        let mut query = scope.find::<order::Entity>().order_by_desc(order::Column::Id).limit(page.limit + 1);
        if let Some(after) = page.after {
            query = query.filter(order::Column::Id.lt(after.id()));
        }
        if let Some(state) = state {
            query = query.filter(order::Column::State.eq(state.as_str()));
        }
        let rows = Page::from_overfetched(scope.all_rows(query).await?, page.limit, |row| row.id);
        let items = scope.items_of(rows.items.iter().map(|row| row.id)).await?;
        scope.commit().await?;
        let orders = rows.items.into_iter().map(|row| {
            let own = items.iter().filter(|item| item.order_id == row.id).cloned().collect();
            row.with_items(own)
        });
        Ok(Page { items: orders.collect::<Result<_, Corrupt>>()?, next: rows.next })
    }

    /// The payments of an order; `None` if there is no such order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn payments_of(&self, order: OrderId) -> Result<Option<Vec<Payment>>, StoreFailure> {
        let scope = self.read("payments_of").await?;
        let query = scope.find::<payment::Entity>().filter(payment::Column::OrderId.eq(order.uuid()));
        let payments: Vec<Payment> = scope.all(query).await?;
        scope.commit().await?;
        // Every order has a payment from the moment it exists.
        Ok(Some(payments).filter(|payments| !payments.is_empty()))
    }

    /// A payment and where its order stands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<(Payment, OrderState)>, StoreFailure> {
        let scope = self.read("payment").await?;
        let found = scope.payment_and_order(scope.payment_by_id(id)).await?;
        scope.commit().await?;
        found.map(|(payment, order)| Ok((payment, order.state.parse::<OrderState>()?))).transpose()
    }
}

impl Scope {
    /// One order with its items.
    pub(super) async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreFailure> {
        let query = self.find::<order::Entity>().filter(order::Column::Id.eq(id.uuid()));
        match self.one_row(query).await? {
            Some(row) => self.with_items(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// An order's row with its items.
    pub(super) async fn with_items(&self, row: order::Model) -> Result<Order, StoreFailure> {
        let items = self.items_of([row.id]).await?;
        Ok(row.with_items(items)?)
    }

    async fn items_of(
        &self,
        orders: impl IntoIterator<Item = uuid::Uuid>,
    ) -> Result<Vec<order_item::Model>, StoreFailure> {
        let query = self.find::<order_item::Entity>().filter(order_item::Column::OrderId.is_in(orders));
        self.all_rows(query.order_by_asc(order_item::Column::ProductId)).await
    }

    /// Writes a new order, its items and its pending payment: one statement each.
    pub(super) async fn insert_order(
        &self,
        order: &Order,
        payment: PaymentId,
        reconcile_after: std::time::Duration,
    ) -> Result<(), StoreFailure> {
        let rows = NewOrderRows::new(self.tenant().uuid(), order, payment, reconcile_after);
        self.insert([rows.order]).await?;
        self.insert(rows.items).await?;
        self.insert([rows.payment]).await
    }

    /// A query for one payment.
    pub(super) fn payment_by_id(&self, id: PaymentId) -> Select<payment::Entity> {
        self.find::<payment::Entity>().filter(payment::Column::Id.eq(id.uuid()))
    }

    /// A query for the payment of an order.
    pub(super) fn payment_by_order(&self, id: OrderId) -> Select<payment::Entity> {
        self.find::<payment::Entity>().filter(payment::Column::OrderId.eq(id.uuid()))
    }

    /// A payment and its order, in one statement.
    pub(super) async fn payment_and_order(
        &self,
        query: Select<payment::Entity>,
    ) -> Result<Option<(Payment, order::Model)>, StoreFailure> {
        let row = self.within(query.find_also_related(order::Entity).one(self.connection())).await?;
        let Some((payment, Some(order))) = row else { return Ok(None) };
        Ok(Some((Payment::try_from(payment)?, order)))
    }

    /// The same, and nobody else may change either of them until the end of this transaction.
    pub(super) async fn lock_payment_and_order(
        &self,
        query: Select<payment::Entity>,
    ) -> Result<Option<(Payment, order::Model)>, StoreFailure> {
        // An inner join: Postgres locks no rows of the optional side of an outer one.
        let query = query.find_both_related(order::Entity).lock(LockType::Update);
        let row = self.within(query.one(self.connection())).await?;
        row.map(|(payment, order)| Ok((Payment::try_from(payment)?, order))).transpose()
    }

    /// Moves an order to another state.
    pub(super) async fn set_order_state(&self, id: OrderId, state: OrderState) -> Result<(), StoreFailure> {
        let update = self
            .update::<order::Entity>()
            .col_expr(order::Column::State, state.as_str().into())
            .filter(order::Column::Id.eq(id.uuid()));
        self.run(update).await?;
        Ok(())
    }
}

/// A new order as rows.
pub(super) struct NewOrderRows {
    pub(super) order: order::Model,
    pub(super) items: Vec<order_item::Model>,
    pub(super) payment: payment::Model,
}

impl NewOrderRows {
    /// The rows of `order`, with a payment that belongs to its request for `reconcile_after`.
    pub(super) fn new(
        tenant_id: uuid::Uuid,
        order: &Order,
        payment: PaymentId,
        reconcile_after: std::time::Duration,
    ) -> Self {
        let currency = order.total.currency().code();
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
                currency: currency.to_owned(),
                created_at: order.created_at,
            },
            payment: payment::Model {
                id: payment.uuid(),
                tenant_id,
                order_id: order.id.uuid(),
                amount_minor: order.total.minor(),
                currency: currency.to_owned(),
                state: PaymentState::Pending.as_str().to_owned(),
                decline_reason: None,
                refund_requested_at: None,
                reconcile_at: clock::now() + Duration::try_from(reconcile_after).unwrap_or(Duration::MAX),
                traceparent: propagation::traceparent(),
                created_at: order.created_at,
            },
        }
    }
}
