//! Value types: the API parses the texts and numbers of a request into these.
//!
//! `parse` and `new` are for new values: they normalize first and validate then. `stored` is for values that the database
//! returns: an earlier version may have accepted what the rules reject now, and such a row stays readable.

mod currency;
mod decline_reason;
mod email;
mod money;
mod name;
mod password;
mod quantity;
mod reset_token;
mod sku;
mod slug;
mod text;

pub use currency::{Currency, CurrencyError};
pub use decline_reason::DeclineReason;
pub use email::{Email, EmailError};
pub use money::{Money, MoneyError};
pub use name::{Name, NameError};
pub use password::{Password, PasswordError, PasswordHash};
pub use quantity::{Quantity, QuantityError};
pub use reset_token::ResetToken;
pub use sku::{Sku, SkuError};
pub use slug::{Slug, SlugError};
