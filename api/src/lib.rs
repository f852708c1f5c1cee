//! The service: the public and the management interface, background work, the payment-gateway simulator,
//! and the commands of the binary.
//!
//! Start reading at [`application`], which composes a process, or at [`http::public::v1`] with the handlers. Tests start the same
//! application that the binary starts, on free ports:
//!
//! ```no_run
//! use glasshouse_api::application::Application;
//! use glasshouse_api::config::{Config, ProcessKind};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let config = Config::load(ProcessKind::Demo, |name| match name {
//!     "GLASSHOUSE_HTTP_ADDR" | "GLASSHOUSE_MANAGEMENT_ADDR" => Some("127.0.0.1:0".to_owned()),
//!     _ => None,
//! })?;
//! let application = Application::build(config).await?;
//! let address = application.addresses().http;
//! application.run_until(std::future::pending()).await
//! # }
//! ```

pub mod application;
pub mod cli;
mod commands;
pub mod config;
pub mod console;
pub mod demo;
pub mod environment;
pub mod gateway_simulator;
pub mod http;
mod stdout;
pub mod third_parties;
pub mod worker;
