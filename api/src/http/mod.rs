//! The public HTTP interface.

pub mod docs;
pub mod extract;
pub mod faults;
pub mod health;
pub mod metrics;
pub mod middleware;
pub mod problem;
pub mod profiles;
pub mod v1;
