//! Value types: the API parses the texts and numbers of a request into these, which are always valid.

mod email;
mod money;
mod name;
mod password;
mod quantity;
mod sku;
mod slug;

pub use email::{Email, EmailError};
pub use iso_currency::Currency;
pub use money::{Money, MoneyError};
pub use name::{Name, NameError};
pub use password::{Password, PasswordError, PasswordHash};
pub use quantity::{Quantity, QuantityError};
pub use sku::{Sku, SkuError};
pub use slug::{Slug, SlugError};
