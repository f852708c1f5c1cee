//! Extractors of the public interface: the caller, pagination, and the headers `Idempotency-Key` and
//! `If-Match`.

mod caller;
mod idempotency;
mod if_match;
mod page;

/// Attempts of a handler to reach another tenant. None of them compiles: `cargo test --doc` checks it.
#[cfg(doctest)]
#[doc = include_str!("tenant_isolation.md")]
pub struct TenantIsolation;

pub use caller::{Admin, Caller};
pub use idempotency::IdempotencyHeader;
pub use if_match::IfMatch;
pub use page::PageQuery;
