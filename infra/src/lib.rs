//! The adapters: everything through which Glasshouse touches the world outside its process.

pub mod cache;
pub mod db;
pub mod logs;
pub mod notifier;
pub mod passwords;
pub mod payment_gateway;
pub mod principals;
pub mod rate_limit;
pub mod redis;
pub mod tokens;
