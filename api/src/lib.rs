//! The HTTP service of Glasshouse: its public interface, its background work, and the roles that a process
//! can have.

pub mod application;
pub mod cli;
mod commands;
pub mod config;
pub mod gateway_simulator;
pub mod http;
pub mod worker;
