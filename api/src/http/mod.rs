//! HTTP: the public interface, the management interface, and what both use: health checks, JSON bodies, problem
//! documents, and the middleware that treats all requests and responses alike.

mod allowed_hosts;
pub mod body;
pub mod compress;
mod connection;
pub mod connections;
mod draining;
pub mod finish;
pub mod head;
pub mod health;
pub mod json;
pub mod management;
pub mod problem;
pub mod public;
mod rejection;
pub mod static_file;
mod unanswered;
pub mod unknown_route;

pub use allowed_hosts::{AllowedHosts, check_host};
pub use connection::Connection;
pub use draining::Draining;

/// The content codings that bodies of requests may have, and that responses are offered in.
const CODINGS: &str = "gzip, deflate";
