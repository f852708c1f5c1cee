//! What a handler may ask for in its signature: who is calling, and the parts of a request that need more
//! than parsing.

mod caller;
mod idempotency;
mod if_match;
mod page;

pub use caller::{Admin, Caller};
pub use idempotency::IdempotencyHeader;
pub use if_match::IfMatch;
pub use page::PageQuery;
