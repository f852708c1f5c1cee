//! Limits of attempts that need no tenant, or come before one is known.

mod buckets;
mod inactive_users;

pub use buckets::AttemptQuota;
pub use inactive_users::InactiveUsers;
