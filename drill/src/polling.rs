//! Waits for a condition by polling.

use std::time::{Duration, Instant};

use anyhow::Result;

/// The interval between two polls. It is shorter than the shortest evaluation interval of the rules.
pub const POLL_INTERVAL: Duration = Duration::from_millis(150);

/// Polls until `probe` returns a value. Returns `None` on timeout.
///
/// # Errors
/// The first error of `probe` ends the wait.
pub async fn poll_until<T>(
    timeout: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(value) = probe().await? {
            return Ok(Some(value));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
