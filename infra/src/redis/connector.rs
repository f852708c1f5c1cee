//! Opens the connections to Redis, and decides which may be used again.
//!
//! deadpool-redis waits for a response before each use of a connection, which doubles the round trips of a request. Here that
//! check is for those that were idle for long. A connection that breaks makes all outdated that are open at that time, because
//! they usually break together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_redis::redis::RedisError;
use deadpool_redis::redis::aio::MultiplexedConnection;

/// Connections that were idle for this long are checked: a firewall may have dropped them silently.
const MAX_TRUSTED_IDLE: Duration = Duration::from_secs(10);

/// Opens connections, and checks those that were idle.
pub(super) struct Connector {
    manager: deadpool_redis::Manager,
    broken: Broken,
}

/// When a connection last turned out to be broken. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Broken(Arc<Mutex<Option<Instant>>>);

impl Connector {
    pub(super) const fn new(manager: deadpool_redis::Manager, broken: Broken) -> Self {
        Self { manager, broken }
    }
}

impl Broken {
    /// Makes all connections outdated that are open now.
    pub(super) fn outdate(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection that was opened at `created` is to be replaced.
    fn outdates(&self, created: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|broken| created <= broken)
    }
}

impl Manager for Connector {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        self.manager.create().await
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if self.broken.outdates(metrics.created) {
            return Err(RecycleError::message("outdated"));
        }
        // The time since it was last taken: at least as long as it was idle.
        if metrics.last_used() >= MAX_TRUSTED_IDLE {
            return self.manager.recycle(connection, metrics).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_outdates_those_that_were_open_then() {
        let (broken, opened) = (Broken::default(), Instant::now());
        assert!(!broken.outdates(opened));
        broken.outdate();
        assert!(broken.outdates(opened));
        assert!(!broken.outdates(Instant::now() + Duration::from_millis(1)), "it was opened since");
    }
}
