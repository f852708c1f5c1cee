//! Stock movements: one statement for all products of an order. Stock never becomes negative.
//!
//! The stock of a product and the units that pending orders hold never exceed [`Product::MAX_STOCK`] together: an order
//! moves units from one to the other, and [`Movement::Add`] checks the sum. So units can always be returned.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::ProductId;
use glasshouse_domain::product::Product;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Select, UpdateMany};

use super::entity::TenantQueries;
use super::entity::product::{Column, Entity};
use super::failure::store_failure;
use super::scope::Scope;

/// The kind of a stock movement: the products that it may change, and the bounds of their stock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Movement {
    /// An order takes units of products that are for sale, whose stock must not become negative.
    Reserve,
    /// Units are removed by hand, with the same bounds.
    Remove,
    /// Units are added by hand to products that are for sale. With the `reserved` units of pending orders, the stock must
    /// not exceed its maximum.
    Add { reserved: i64 },
    /// Units return from an order, to archived products too. No bound stops them: the order must end.
    Release,
}

/// The units of a product that pending orders hold.
const RESERVED: &str = "\
    SELECT CAST(COALESCE(sum(order_items.quantity), 0) AS bigint) AS reserved \
    FROM orders JOIN order_items ON order_items.tenant_id = orders.tenant_id AND order_items.order_id = orders.id \
    WHERE orders.tenant_id = $1 AND orders.state = 'pending' AND order_items.product_id = $2";

impl Scope {
    /// Adds each delta to the stock of its product. Returns the changed products with their new stock. A product that
    /// does not exist, or whose stock would be out of range, is not changed and not returned.
    ///
    /// Locks the rows in the order of their ids first, so that concurrent movements cannot deadlock.
    pub(super) async fn move_stock(
        &self,
        deltas: &[(ProductId, i32)],
        movement: Movement,
    ) -> Result<Vec<Product>, StoreFailure> {
        let ids = deltas.iter().map(|(product, _)| product.uuid());
        let mut locked = self.find::<Entity>().select_only().column(Column::Id).filter(Column::Id.is_in(ids));
        if movement != Movement::Release {
            locked = locked.filter(Column::Archived.eq(false));
        }
        let mut locked = sea_orm::QueryOrder::order_by_asc(locked, Column::Id).into_query();
        locked.lock(LockType::Update);
        let next = Expr::col(Column::Stock).add(delta_by_id(deltas));
        let update = self.update::<Entity>().filter(Column::Id.in_subquery(locked));
        let update = match movement {
            Movement::Reserve | Movement::Remove => {
                update.filter(next.clone().gte(0)).col_expr(Column::Stock, next)
            }
            Movement::Add { reserved } => {
                // A difference, because the sum of a stock above its maximum may exceed the column.
                let most = Expr::val(i64::from(Product::MAX_STOCK) - reserved).sub(delta_by_id(deltas));
                update.filter(Expr::col(Column::Stock).lte(most)).col_expr(Column::Stock, next)
            }
            Movement::Release => update.col_expr(Column::Stock, saturating(next, deltas)),
        };
        let update = match movement {
            Movement::Reserve | Movement::Release => update,
            Movement::Remove | Movement::Add { .. } => received(update, deltas),
        };
        self.run_returning(update).await
    }

    /// Counts units as received that finished orders have taken without a reservation.
    pub(super) async fn receive_sold(&self, sold: &[(ProductId, i32)]) -> Result<(), StoreFailure> {
        if sold.is_empty() {
            return Ok(());
        }
        let ids = sold.iter().map(|(product, _)| product.uuid());
        self.run(received(self.update::<Entity>().filter(Column::Id.is_in(ids)), sold)).await?;
        Ok(())
    }

    /// The stock of a product in units, locked until the end of this transaction; `None` if it is not for sale.
    pub(super) async fn lock_stock_for_sale(&self, product: ProductId) -> Result<Option<i32>, StoreFailure> {
        Ok(self.one_row(for_sale(self, product).lock(LockType::Update)).await?.map(|row| row.stock))
    }

    /// The units of a product that pending orders hold.
    pub(super) async fn reserved_stock(&self, product: ProductId) -> Result<i64, StoreFailure> {
        let rows = self.query(RESERVED, [product.uuid().into()]).await?;
        let reserved = rows.first().map(|row| row.try_get("", "reserved"));
        Ok(reserved.transpose().map_err(store_failure)?.unwrap_or(0))
    }

    /// The stock of a product in units; `None` if it is not for sale.
    pub(super) async fn stock_for_sale(&self, product: ProductId) -> Result<Option<i32>, StoreFailure> {
        Ok(self.one_row(for_sale(self, product)).await?.map(|row| row.stock))
    }
}

fn for_sale(scope: &Scope, product: ProductId) -> Select<Entity> {
    scope.find_by_id::<Entity>(product.uuid()).filter(Column::Archived.eq(false))
}

/// Records movements by hand, beside those of orders: the stock and the units of live orders are always what was received.
fn received(update: UpdateMany<Entity>, deltas: &[(ProductId, i32)]) -> UpdateMany<Entity> {
    update.col_expr(Column::Received, Expr::col(Column::Received).add(delta_by_id(deltas)))
}

/// The new stock, or the largest number of the column: an earlier version could add more than its maximum.
fn saturating(next: Expr, deltas: &[(ProductId, i32)]) -> Expr {
    let overflows = Expr::col(Column::Stock).gt(Expr::val(i32::MAX).sub(delta_by_id(deltas)));
    CaseStatement::new().case(overflows, i32::MAX).finally(next).into()
}

/// `CASE id WHEN … THEN … END`.
fn delta_by_id(deltas: &[(ProductId, i32)]) -> Expr {
    let mut case = CaseStatement::new();
    for (product, delta) in deltas {
        case = case.case(Expr::col(Column::Id).eq(product.uuid()), *delta);
    }
    let case: Expr = case.finally(0).into();
    // Postgres would type the parameters as text.
    case.cast_as("integer")
}
