//! The payment-gateway simulator: an external party with its own rules, its own port, and a `/control`
//! interface that makes it slow, broken, silent or strict. It knows nothing of the rest of this crate.

mod behaviour;
mod ledger;
mod routes;

pub use routes::{Simulator, routes};
