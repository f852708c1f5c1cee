//! The public interface: `/v1`, its OpenAPI document, its extractors and its middleware.

pub mod docs;
pub mod extract;
pub mod middleware;
pub mod v1;
