//! Products, their stock, and the errors of changing both.

use time::OffsetDateTime;

use crate::failure::StoreFailure;
use crate::id::ProductId;
use crate::idempotency::KeyReused;
use crate::values::{Money, Name, Quantity, Sku};

/// A product that a tenant sells.
#[derive(Clone, Debug)]
pub struct Product {
    /// Unique across all tenants.
    pub id: ProductId,
    /// The tenant's code for the product; unique within the tenant.
    pub sku: Sku,
    /// The display name.
    pub name: Name,
    /// The price of one unit.
    pub price: Money,
    /// The number of units available for sale: 0 to [`Product::MAX_STOCK`].
    pub stock: i32,
    /// Whether the product is archived: kept for existing orders, but no longer listed or sold.
    pub archived: bool,
    /// Starts at 1 and increases with each change, except of the stock; a change names the version that it replaces.
    pub version: i32,
    /// The time of creation, in UTC.
    pub created_at: OffsetDateTime,
}

impl Product {
    /// The maximum stock of one product, in units, including those that pending orders hold. A cancellation or a decline
    /// returns these, so they are counted when stock is added, and never when it is returned.
    pub const MAX_STOCK: i32 = 1_000_000_000;
}

/// A change of a product; `None` leaves the value as it is.
#[derive(Clone, Debug, Default)]
pub struct ProductChange {
    /// The new name.
    pub name: Option<Name>,
    /// The new unit price. Existing orders keep the old one.
    pub price: Option<Money>,
}

/// A change of the stock other than by an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockMovement {
    /// Units that were delivered, found or returned.
    In(Quantity),
    /// Units that were lost, damaged or sent back.
    Out(Quantity),
}

impl StockMovement {
    /// The change of the stock in units; negative for [`Self::Out`].
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
    /// The product has another version than the change names.
    #[error("the product has changed since you read it: read it again and repeat your change")]
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
    /// The stock would become negative.
    #[error("the stock would be below 0: it is {available} now")]
    BelowZero {
        /// The stock in units at the time of the movement.
        available: i32,
    },
    /// The stock would exceed [`Product::MAX_STOCK`].
    #[error(
        "the stock would be above {}: it is {available} now, and pending orders hold {reserved}",
        Product::MAX_STOCK
    )]
    AboveMaximum {
        /// The stock in units at the time of the movement.
        available: i32,
        /// The units that pending orders hold.
        reserved: i64,
    },
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}
