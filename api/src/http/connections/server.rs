//! The connections of a server on all of its threads, and their end.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The connections of a server on all of its threads. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ServerConnections {
    open: TaskTracker,
    closing: CancellationToken,
}

impl ServerConnections {
    /// The number of open connections.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// Closes each connection once it is idle, and waits until the last one has closed. No new connection may come.
    pub async fn close(&self) {
        self.closing.cancel();
        self.open.close();
        self.open.wait().await;
    }

    /// Resolves when the connections have to close.
    pub(super) async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// Counts a connection until the token is dropped.
    pub(super) fn opened(&self) -> TaskTrackerToken {
        self.open.token()
    }
}
