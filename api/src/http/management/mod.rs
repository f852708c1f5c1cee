//! The management interface: metrics, profiles and fault injection. It has a listener of its own.

pub mod faults;
pub mod metrics;
pub mod profiles;
