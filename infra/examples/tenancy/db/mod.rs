//! The database of the example: files of Glasshouse, and what they need.

// Glasshouse's own files. A service of its own has copies of them.
#[path = "../../../src/db/outbox_attempts.rs"]
#[allow(dead_code, reason = "this service gives no message up")]
mod outbox_attempts;
#[path = "../../../src/db/scope.rs"]
#[allow(dead_code, reason = "this service needs a part of it")]
mod scope;
#[path = "../../../src/db/work_queue.rs"]
#[allow(dead_code, reason = "this service has no payments")]
mod work_queue;
#[path = "../../../src/db/writes.rs"]
#[allow(dead_code, reason = "this service updates nothing with the commit")]
mod writes;

// What the service writes.
mod entity;
mod failure;
mod open_transaction;
mod pool;
mod store;
mod suspicion;

pub(crate) use pool::{Database, Pool};
pub(crate) use store::TenantStore;
pub(crate) use work_queue::Lease;
use work_queue::WorkQueue;
