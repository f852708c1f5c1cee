//! The business types of Glasshouse (tenant, user, product, order, payment), their rules, and the use cases.
//!
//! This crate performs no I/O, and reads the system clock only for new ids (UUIDv7): use cases take the current
//! time as an argument. A use case that has rules (sign-up, login, checkout, settlement, refund) is a
//! function over *ports*: traits that the `infra` crate implements. Each method of a port is one atomic
//! operation.
//!
//! Start reading at [`checkout`]. The rules are plain functions, such as the state of an order when a charge succeeds after it
//! was cancelled:
//!
//! ```
//! use glasshouse_domain::order::OrderState;
//! use glasshouse_domain::payment::{ChargeOutcome, PaymentState};
//! use glasshouse_domain::settlement::Settlement;
//!
//! let settlement =
//!     Settlement::decide(PaymentState::Pending, OrderState::Cancelled, &ChargeOutcome::Succeeded);
//! assert_eq!(settlement, Settlement::PaidTooLate);
//! assert_eq!(settlement.payment_state(), Some(PaymentState::Succeeded));
//! assert!(settlement.requires_refund());
//! ```

pub mod cancel;
pub mod checkout;
pub mod failure;
pub mod id;
pub mod idempotency;
pub mod login;
pub mod order;
pub mod outbox;
pub mod page;
pub mod password_change;
pub mod password_reset;
#[cfg(test)]
mod pattern;
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
pub mod version;
