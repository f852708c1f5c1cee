//! The public interface: `/v1`, its OpenAPI document, its extractors and its middleware.

mod client_address;
pub mod concurrency;
pub mod docs;
pub mod extract;
pub mod middleware;
pub mod routes;
mod tenant_shares;
pub mod v1;

pub use client_address::ClientAddress;
