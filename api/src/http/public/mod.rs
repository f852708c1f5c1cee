//! The public interface: `/v1`, its OpenAPI description, and what happens around every request to it.

pub mod docs;
pub mod extract;
pub mod middleware;
pub mod v1;
