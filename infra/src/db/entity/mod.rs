//! The tables as sea-orm entities, and what all of them share. They are private to `db`, which returns types of the
//! domain. A table that a single module uses is declared in that module.

pub(super) mod order;
pub(super) mod order_item;
pub(super) mod outbox_message;
mod ownership;
pub(super) mod payment;
pub(super) mod product;
pub(super) mod tenant;
pub(super) mod user;

use glasshouse_domain::failure::Corrupt;
use glasshouse_domain::values::{Currency, Money};
pub(super) use ownership::{IdentifiedEntity, TenantEntity, TenantQueries, tenant_entity};

/// Converts the two columns of an amount.
pub(super) fn money(minor: i64, currency: &str) -> Result<Money, Corrupt> {
    match Currency::stored(currency) {
        Some(currency) => Ok(Money::stored(minor, currency)),
        None => Err(Corrupt { what: "currency", value: currency.to_owned() }),
    }
}
