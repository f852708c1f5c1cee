//! The time after a deadline in which the server reads what has already arrived.
//!
//! A process can be frozen: by the host of its virtual machine, by a debugger, or because there is no CPU for it. Deadlines of
//! clients go on meanwhile, and clients go on sending. What arrived in time must not be rejected for not having been read.

use std::time::Duration;

/// Long enough to read the largest body from the buffers of the system, and too short to be of use for a slow client.
pub(super) const CATCH_UP: Duration = Duration::from_millis(500);

/// Sleeps until a deadline of a client has passed, and this process has had the time to read what arrived before.
pub async fn sleep_and_catch_up(timeout: Duration) {
    tokio::time::sleep(timeout).await;
    // This time begins when the process runs again.
    tokio::time::sleep(CATCH_UP).await;
}
