//! The HTTP servers of a process, a file for each.

mod gateway_simulator;
mod http_server;
mod listener;
mod management;
mod public;

pub(super) use gateway_simulator::gateway_simulator_server;
pub(super) use http_server::{HttpServer, RunningServer, ServerStop};
pub(super) use management::management_server;
pub(super) use public::public_server;
