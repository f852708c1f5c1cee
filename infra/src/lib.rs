//! The adapters of Glasshouse: database, Redis, payment gateway, notifications, tokens, passwords, and fault
//! injection.

pub mod active_users;
pub mod attempts;
pub mod cache;
pub mod clock;
pub mod db;
pub mod faults;
pub mod notifier;
pub mod outbound;
pub mod passwords;
pub mod payment_gateway;
pub mod principals;
pub mod rate_limit;
pub mod redis;
pub mod tls;
pub mod tokens;
