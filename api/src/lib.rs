//! The HTTP service of Glasshouse: its public interface, its background work, and the roles that a process
//! can have.

pub mod application;
pub mod cli;
pub mod config;
pub mod gateway;
pub mod http;
mod roles;
pub mod worker;
