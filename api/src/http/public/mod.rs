//! The public interface: `/v1`, its OpenAPI document, its extractors and its middleware.

mod client_address;
pub mod docs;
pub mod extract;
pub mod middleware;
mod unknown_route;
pub mod v1;

pub use client_address::ClientAddress;
pub(crate) use unknown_route::unknown_route;
