//! The adapters of Glasshouse: database, Redis, payment gateway, notifications, tokens, passwords, and fault
//! injection.
//!
//! Start reading at [`db`]: a handler gets a [`TenantStore`](db::TenantStore), which reaches the rows of one tenant alone. What Redis
//! does for several processes, memory does for one, behind the same type:
//!
//! ```
//! use std::num::NonZeroU32;
//!
//! use glasshouse_domain::id::TenantId;
//! use glasshouse_domain::tenant::Plan;
//! use glasshouse_infra::rate_limit::{Quota, Quotas, RateLimiter};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let quota = Quota { per_second: 1, burst: 2 };
//! let quotas = Quotas { free: quota, pro: quota, enterprise: quota, processes: NonZeroU32::MIN };
//! let limiter = RateLimiter::in_process(&quotas);
//! let (busy, other) = (TenantId::new(), TenantId::new());
//! assert!(limiter.take(busy, Plan::Free).await.allowed);
//! assert!(limiter.take(busy, Plan::Free).await.allowed);
//! assert!(!limiter.take(busy, Plan::Free).await.allowed);
//! assert!(limiter.take(other, Plan::Free).await.allowed);
//! # }
//! ```

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
mod pool;
pub mod principals;
pub mod rate_limit;
pub mod redis;
pub mod tls;
pub mod tokens;
