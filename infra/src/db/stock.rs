//! Stock movements: one statement for all products of an order. Stock never becomes negative.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::ProductId;
use glasshouse_domain::product::Product;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait};

use super::entity::product::{Column, Entity};
use super::scope::Scope;

/// The products that a stock movement may change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ProductFilter {
    /// Products that are for sale, within the maximum stock.
    ForSale,
    /// All products, including archived ones, and even above the maximum stock: a released reservation must not get
    /// lost.
    All,
}

impl Scope {
    /// Adds each delta to the stock of its product. Returns the changed products with their new stock. A product that
    /// does not exist, or whose stock would be out of range, is not changed and not returned.
    ///
    /// Locks the rows in the order of their ids first, so that concurrent movements cannot deadlock.
    pub(super) async fn move_stock(
        &self,
        deltas: &[(ProductId, i32)],
        filter: ProductFilter,
    ) -> Result<Vec<Product>, StoreFailure> {
        let ids = deltas.iter().map(|(product, _)| product.uuid());
        let mut locked = self.find::<Entity>().select_only().column(Column::Id).filter(Column::Id.is_in(ids));
        if filter == ProductFilter::ForSale {
            locked = locked.filter(Column::Archived.eq(false));
        }
        let mut locked = sea_orm::QueryOrder::order_by_asc(locked, Column::Id).into_query();
        locked.lock(LockType::Update);
        let next = Expr::col(Column::Stock).add(delta_by_id(deltas));
        let in_range = match filter {
            ProductFilter::ForSale => next.clone().between(0, Product::MAX_STOCK),
            ProductFilter::All => next.clone().gte(0),
        };
        let update = self
            .update::<Entity>()
            .col_expr(Column::Stock, next)
            .filter(Column::Id.in_subquery(locked))
            .filter(in_range);
        self.run_returning(update).await
    }

    /// The stock of a product in units; `None` if it is not for sale.
    pub(super) async fn stock_for_sale(&self, product: ProductId) -> Result<Option<i32>, StoreFailure> {
        let query = self.find_by_id::<Entity>(product.uuid()).filter(Column::Archived.eq(false));
        Ok(self.one_row(query).await?.map(|row| row.stock))
    }
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
