//! Orders.

use std::fmt::Display;

use crate::service::metrics::BusinessMetrics;

crate::events! {
    "orders"

    /// The stock is reserved, and the order stored.
    pub struct OrderPlaced<'a>: INFO "order_placed" { order_id: &'a dyn Display }
    moves BusinessMetrics { orders: |_, orders| orders.with(["pending"]).inc(); }

    /// An open order was cancelled, and its stock released.
    pub struct OrderCancelled<'a>: INFO "order_cancelled" { order_id: &'a dyn Display }
    moves BusinessMetrics { orders: |_, orders| orders.with(["cancelled"]).inc(); }
}
