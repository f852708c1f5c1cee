//! The connection pool of Redis. Every call has a short timeout, and callers continue without Redis when a call
//! fails.

use std::time::Duration;

use deadpool_redis::{Config, Connection, Pool, Runtime};
use secrecy::{ExposeSecret, SecretString};
use tracing::Instrument;

/// The address, pool size and timeout of Redis.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://…`
    pub url: SecretString,
    /// The maximum number of connections of this process.
    pub pool_size: usize,
    /// The timeout of a call, including the wait for a connection.
    pub timeout: Duration,
}

/// Why a call to Redis failed.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The address is not a Redis URL, or the pool cannot be created.
    #[error("invalid Redis address: {0}")]
    Address(String),
    /// No connection is available.
    #[error("cannot connect to Redis: {0}")]
    Connect(#[from] deadpool_redis::PoolError),
    /// The command failed.
    #[error("the Redis command failed: {0}")]
    Command(#[from] deadpool_redis::redis::RedisError),
    /// The timeout elapsed.
    #[error("Redis did not respond within {0:?}")]
    TimedOut(Duration),
}

/// A connection pool. Clones share it.
#[derive(Clone)]
pub struct Redis {
    pool: Pool,
    timeout: Duration,
}

impl Redis {
    /// A pool that opens its first connection on first use.
    ///
    /// # Errors
    /// When the address is not a Redis URL.
    pub fn new(settings: &RedisSettings) -> Result<Self, RedisError> {
        let config = Config::from_url(settings.url.expose_secret());
        let address = |error: String| RedisError::Address(error);
        let pool = config
            .builder()
            .map_err(|error| address(error.to_string()))?
            .max_size(settings.pool_size)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| address(error.to_string()))?;
        Ok(Self { pool, timeout: settings.timeout })
    }

    /// The numbers of open and idle connections, and the maximum.
    #[must_use]
    pub fn pool_state(&self) -> (usize, usize, usize) {
        let status = self.pool.status();
        (status.size, status.available, status.max_size)
    }

    /// Checks that Redis responds.
    ///
    /// # Errors
    /// When it does not respond within the timeout.
    pub async fn ping(&self) -> Result<(), RedisError> {
        self.call("PING", async |connection| deadpool_redis::redis::cmd("PING").query_async(connection).await)
            .await
    }

    /// Runs commands on one connection, within the timeout and in a client span named `operation`.
    pub(crate) async fn call<T>(
        &self,
        operation: &'static str,
        commands: impl AsyncFnOnce(&mut Connection) -> Result<T, deadpool_redis::redis::RedisError>,
    ) -> Result<T, RedisError> {
        let call = async {
            let mut connection = self.pool.get().await?;
            Ok(commands(&mut connection).await?)
        };
        let span = tracing::info_span!(
            "redis",
            otel.name = operation,
            otel.kind = "client",
            db.system.name = "redis",
            db.operation.name = operation,
            otel.status_code = tracing::field::Empty,
        );
        let result = tokio::time::timeout(self.timeout, call.instrument(span.clone())).await;
        let result = result.unwrap_or(Err(RedisError::TimedOut(self.timeout)));
        if result.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        result
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
