//! The service: the public and the management interface, background work, the payment-gateway simulator,
//! and the commands of the binary.

pub mod application;
pub mod cli;
mod commands;
pub mod config;
pub mod console;
pub mod demo;
pub mod environment;
pub mod gateway_simulator;
pub mod http;
pub mod third_parties;
pub mod worker;
