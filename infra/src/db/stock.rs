//! Stock moves in one statement for all products of an order, and never below zero.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::ProductId;
use glasshouse_domain::product::Product;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait};

use super::entity::product::{Column, Entity};
use super::scope::Scope;

/// Which products a movement may touch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// Those that are for sale.
    ForSale,
    /// Archived and full ones too: an order gives back what it took.
    All,
}

impl Scope {
    /// Adds each delta to its product's stock, except where the stock would leave its range or the product
    /// does not exist. Answers the products that it changed, as they are now.
    ///
    /// The rows are locked in the order of their ids first, so that two movements never wait for each other.
    pub(super) async fn move_stock(
        &self,
        deltas: &[(ProductId, i32)],
        among: Among,
    ) -> Result<Vec<Product>, StoreFailure> {
        let ids = deltas.iter().map(|(product, _)| product.uuid());
        let mut locked = self.find::<Entity>().select_only().column(Column::Id).filter(Column::Id.is_in(ids));
        if among == Among::ForSale {
            locked = locked.filter(Column::Archived.eq(false));
        }
        let mut locked = sea_orm::QueryOrder::order_by_asc(locked, Column::Id).into_query();
        locked.lock(LockType::Update);
        let next = Expr::col(Column::Stock).add(delta_by_id(deltas));
        let fits = match among {
            Among::ForSale => next.clone().between(0, Product::MAX_STOCK),
            Among::All => next.clone().gte(0),
        };
        let update = self
            .update::<Entity>()
            .col_expr(Column::Stock, next)
            .filter(Column::Id.in_subquery(locked))
            .filter(fits);
        self.run_returning(update).await
    }

    /// How many pieces of a product are in stock; `None` if it is not for sale.
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
    // An untyped parameter of Postgres would be text.
    case.cast_as("integer")
}
