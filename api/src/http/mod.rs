//! HTTP: the public interface, the management interface, and what both answer with.

pub mod health;
pub mod json;
pub mod management;
pub mod problem;
pub mod public;
