//! The runtime of a measurement.

use actix_web::rt::System;

/// Runs a task on this thread, which has no runtime yet.
pub(crate) fn block_on<T>(task: impl Future<Output = T>) -> T {
    System::new().block_on(task)
}
