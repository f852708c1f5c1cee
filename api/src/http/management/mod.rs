//! The management interface: metrics, profiles, and faults. None of it is reachable at the public address.

pub mod faults;
pub mod metrics;
pub mod profiles;
