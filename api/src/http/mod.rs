//! HTTP: the public interface, the management interface, and what both use: health checks, JSON bodies and
//! problem documents.

pub mod body;
pub mod health;
pub mod json;
pub mod management;
pub mod problem;
pub mod public;
