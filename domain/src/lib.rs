//! The business of Glasshouse: what a tenant, an order or a payment is, and the rules they obey.
//!
//! Nothing here talks to a database, a cache or a network. A use case that has rules (sign-up, login,
//! checkout, settlement, refund) is a function or service over *ports*: traits whose methods are one
//! atomic operation each, implemented in the `infra` crate.

pub mod checkout;
pub mod clock;
pub mod failure;
pub mod id;
pub mod idempotency;
pub mod login;
pub mod order;
pub mod outbox;
pub mod page;
pub mod payment;
pub mod product;
pub mod reconcile;
pub mod refund;
pub mod report;
pub mod settlement;
pub mod sign_up;
pub mod tenant;
mod text_enum;
pub mod user;
pub mod values;
