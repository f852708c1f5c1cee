//! Products and their stock.

use time::OffsetDateTime;

use crate::failure::StoreFailure;
use crate::id::ProductId;
use crate::idempotency::KeyReused;
use crate::values::{Money, Name, Quantity, Sku};

/// Something that a tenant sells.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// The tenant's own code, unique within the tenant.
    pub sku: Sku,
    /// Its name for people.
    pub name: Name,
    /// The price of one piece.
    pub price: Money,
    /// Pieces that can still be sold; never below zero.
    pub stock: i32,
    /// Archived products are kept for old orders, and can no longer be seen or ordered.
    pub archived: bool,
    /// Counts the changes of everything but the stock; the API's `ETag`.
    pub version: i32,
    /// When it was added.
    pub created_at: OffsetDateTime,
}

impl Product {
    /// The most pieces of one product in stock.
    pub const MAX_STOCK: i32 = 1_000_000_000;
}

/// A change of a product; `None` leaves the value as it is.
#[derive(Clone, Debug, Default)]
pub struct ProductChange {
    /// The new name.
    pub name: Option<Name>,
    /// The new price, for orders from now on.
    pub price: Option<Money>,
}

/// Pieces that arrive in the stock, or leave it other than by an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockMovement {
    /// Delivered, found or brought back.
    In(Quantity),
    /// Lost, broken or sent back.
    Out(Quantity),
}

impl StockMovement {
    /// What to add to the stock; negative where pieces leave.
    #[must_use]
    pub const fn delta(self) -> i32 {
        match self {
            Self::In(quantity) => quantity.get(),
            Self::Out(quantity) => -quantity.get(),
        }
    }
}

/// Why a product was not added, changed or archived.
#[derive(Debug, thiserror::Error)]
pub enum ProductError {
    /// The tenant has no product with this id, or it is archived.
    #[error("there is no such product")]
    NotFound,
    /// Another product of the tenant has the SKU.
    #[error("another product has this SKU")]
    SkuTaken,
    /// The product has another version than the change was made for.
    #[error("the product was changed since you read it: read it again and repeat your change")]
    VersionMismatch,
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Why a stock movement was rejected.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// The tenant has no product with this id, or it is archived.
    #[error("there is no such product")]
    NotFound,
    /// The stock would become negative or exceed [`Product::MAX_STOCK`].
    #[error("the stock would be below 0 or above {}: it is {available} now", Product::MAX_STOCK)]
    OutOfRange {
        /// Pieces in stock when the movement was rejected.
        available: i32,
    },
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}
