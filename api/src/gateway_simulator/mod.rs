//! The payment-gateway simulator: stands in for an external payment gateway, on a port of its own. `/control`
//! sets its latency and its error, timeout and decline rates. Of this crate it uses only the check of the host.

mod behavior;
mod ledger;
mod routes;

pub use behavior::Behavior;
pub use routes::{Simulator, control, routes};
