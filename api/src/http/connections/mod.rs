//! Limits of connections. Every head has a deadline, and so has the time between requests and the reading of a response;
//! when there are too many connections, those that wait for their clients make room. actix-web limits the head of a
//! connection's first request alone, and stops accepting when it has too many.

mod activity;
mod catch_up;
mod close_reason;
mod descriptors;
mod open;
mod pieces;
mod server;
mod stream;

pub use activity::{Activity, ConnectionTimeouts};
pub use catch_up::sleep_and_catch_up;
pub use close_reason::CloseReason;
pub use descriptors::{connections_within, raise_descriptor_limit};
pub use open::{OpenConnection, OpenConnections};
pub use pieces::Pieces;
pub use server::ServerConnections;
pub use stream::WatchedStream;
