//! A cache of small JSON values with a time to live, in Redis for all processes or in this process alone.

use std::time::Duration;

use deadpool_redis::redis::AsyncCommands;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::faults::Faults;
use crate::redis::{Redis, RedisError};

/// A cache. Clones share the values.
#[derive(Clone, Debug)]
pub struct Cache {
    store: Store,
    faults: Faults,
}

/// The storage of the cached values.
#[derive(Clone, Debug)]
enum Store {
    InProcess(InProcessCache),
    Redis(Redis),
}

/// JSON texts by key, each with its time to live.
type InProcessCache = moka::future::Cache<String, (String, Duration)>;

/// Why a cache operation failed. Callers treat a failed lookup as a miss.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Redis failed.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The cached value has another structure, because another version of the program wrote it.
    #[error("cannot decode a cached value: {0}")]
    Decode(#[from] serde_json::Error),
    /// Fault injection made the operation fail.
    #[error("an injected fault")]
    Injected,
}

impl Cache {
    /// A cache in this process of at most `entries` values. A full cache evicts the least used values.
    #[must_use]
    pub fn in_process(entries: u64) -> Self {
        let cache = moka::future::Cache::builder().max_capacity(entries).expire_after(PerValueExpiry).build();
        Self { store: Store::InProcess(cache), faults: Faults::disabled() }
    }

    /// A cache in Redis, shared by all processes.
    #[must_use]
    pub const fn in_redis(redis: Redis) -> Self {
        Self { store: Store::Redis(redis), faults: Faults::disabled() }
    }

    /// Adds fault injection: operations fail while `faults` has cache errors.
    #[must_use]
    pub fn with_faults(self, faults: &Faults) -> Self {
        Self { faults: faults.clone(), ..self }
    }

    fn inject_fault(&self) -> Result<(), CacheError> {
        if self.faults.trigger_cache_error() { Err(CacheError::Injected) } else { Ok(()) }
    }

    /// The value of `key`; `None` if it is absent or has expired.
    ///
    /// # Errors
    /// When the cache fails, or the value cannot be decoded.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        self.inject_fault()?;
        let json: Option<String> = match &self.store {
            Store::InProcess(cache) => cache.get(key).await.map(|(json, _)| json),
            Store::Redis(redis) => redis.call("GET", async |connection| connection.get(key).await).await?,
        };
        Ok(json.map(|json| serde_json::from_str(&json)).transpose()?)
    }

    /// Stores a value that expires after `time_to_live`.
    ///
    /// # Errors
    /// When the cache fails.
    pub async fn set<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        time_to_live: Duration,
    ) -> Result<(), CacheError> {
        self.inject_fault()?;
        let json = serde_json::to_string(value)?;
        match &self.store {
            Store::InProcess(cache) => cache.insert(key.to_owned(), (json, time_to_live)).await,
            Store::Redis(redis) => {
                let milliseconds = u64::try_from(time_to_live.as_millis()).unwrap_or(u64::MAX);
                redis
                    .call("PSETEX", async |connection| connection.pset_ex(key, json, milliseconds).await)
                    .await?
            }
        }
        Ok(())
    }

    /// Deletes the value of `key`.
    ///
    /// # Errors
    /// When the cache fails.
    pub async fn delete(&self, key: &str) -> Result<(), CacheError> {
        self.inject_fault()?;
        match &self.store {
            Store::InProcess(cache) => cache.invalidate(key).await,
            Store::Redis(redis) => redis.call("DEL", async |connection| connection.del(key).await).await?,
        }
        Ok(())
    }
}

/// Expires each value after its own time to live.
struct PerValueExpiry;

impl moka::Expiry<String, (String, Duration)> for PerValueExpiry {
    fn expire_after_create(
        &self,
        _key: &String,
        (_, time_to_live): &(String, Duration),
        _created_at: std::time::Instant,
    ) -> Option<Duration> {
        Some(*time_to_live)
    }

    fn expire_after_update(
        &self,
        _key: &String,
        (_, time_to_live): &(String, Duration),
        _updated_at: std::time::Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(*time_to_live)
    }
}
