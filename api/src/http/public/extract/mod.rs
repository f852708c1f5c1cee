//! Extractors of the public interface: the caller, pagination, and the headers `Idempotency-Key` and
//! `If-Match`.

mod caller;
mod idempotency;
mod if_match;
mod page;

pub use caller::{Admin, Caller};
pub use idempotency::IdempotencyHeader;
pub use if_match::IfMatch;
pub use page::PageQuery;
