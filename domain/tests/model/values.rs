//! The only user and product, and the ids of orders.

use std::sync::LazyLock;

use glasshouse_domain::id::{OrderId, PaymentId, ProductId, UserId};
use glasshouse_domain::order::{Basket, OrderDraft};
use glasshouse_domain::payment::ChargeOutcome;
use glasshouse_domain::product::Product;
use glasshouse_domain::values::{Currency, DeclineReason, Money, Name, Quantity, Sku};
use time::OffsetDateTime;
use uuid::Uuid;

/// The stock of the only product before the first order. Each order takes one unit.
pub(crate) const INITIAL_STOCK: u8 = 2;

/// Identifies an order and its payment.
pub(crate) type Number = u8;

/// The only product.
pub(crate) static PRODUCT: LazyLock<Product> = LazyLock::new(|| Product {
    id: ProductId::from(Uuid::nil()),
    sku: Sku::parse("MUG").unwrap(),
    name: Name::parse("Mug").unwrap(),
    price: Money::new(1250, Currency::USD).unwrap(),
    stock: i32::from(INITIAL_STOCK),
    archived: false,
    version: 1,
    created_at: now(),
});

/// The draft of the order with a number.
pub(crate) fn draft(number: Number) -> OrderDraft {
    OrderDraft {
        order: order_id(number),
        payment: payment_id(number),
        placed_by: user(),
        basket: Basket::new(vec![(PRODUCT.id, Quantity::new(1).unwrap())], 1).unwrap(),
    }
}

/// The number of the order or payment with an id.
pub(crate) fn number(id: Uuid) -> Number {
    Number::try_from(id.as_u128()).unwrap()
}

pub(crate) fn order_id(number: Number) -> OrderId {
    Uuid::from_u128(number.into()).into()
}

pub(crate) fn payment_id(number: Number) -> PaymentId {
    Uuid::from_u128(number.into()).into()
}

/// The only user.
pub(crate) fn user() -> UserId {
    Uuid::nil().into()
}

pub(crate) const fn now() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH
}

pub(crate) fn charge_outcome(declined: bool) -> ChargeOutcome {
    match declined {
        true => ChargeOutcome::Declined { reason: DeclineReason::from_gateway("insufficient_funds") },
        false => ChargeOutcome::Succeeded,
    }
}
