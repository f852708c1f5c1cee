//! The connection pool to Redis, and the rule that Redis may be slow or gone without hurting anybody: every
//! call has a short deadline, and callers go on without it.

use std::time::Duration;

use deadpool_redis::{Config, Connection, Pool, Runtime};
use secrecy::{ExposeSecret, SecretString};
use tracing::Instrument;

/// How to reach Redis, and how patient to be with it.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://…`
    pub url: SecretString,
    /// The most connections of this process.
    pub pool_size: usize,
    /// How long one call may take, waiting for a connection included.
    pub timeout: Duration,
}

/// Why Redis gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The address is no Redis URL, or the pool cannot be made.
    #[error("cannot use this Redis address: {0}")]
    Address(String),
    /// No connection could be had.
    #[error("cannot connect to Redis: {0}")]
    Connect(#[from] deadpool_redis::PoolError),
    /// The command failed.
    #[error("Redis refused the command: {0}")]
    Command(#[from] deadpool_redis::redis::RedisError),
    /// The deadline passed.
    #[error("Redis did not answer within {0:?}")]
    TimedOut(Duration),
}

/// A pool of connections. Cloning it is cheap and shares the pool.
#[derive(Clone)]
pub struct Redis {
    pool: Pool,
    timeout: Duration,
}

impl Redis {
    /// A pool that connects when it is first used.
    ///
    /// # Errors
    /// When the address is no Redis URL.
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

    /// How many connections are open, how many of them are idle, and how many there may be.
    #[must_use]
    pub fn pool_state(&self) -> (usize, usize, usize) {
        let status = self.pool.status();
        (status.size, status.available, status.max_size)
    }

    /// Asks Redis whether it is there.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub async fn ping(&self) -> Result<(), RedisError> {
        self.call("PING", async |connection| deadpool_redis::redis::cmd("PING").query_async(connection).await)
            .await
    }

    /// Runs commands on one connection, within the deadline and in a client span named `operation`.
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
