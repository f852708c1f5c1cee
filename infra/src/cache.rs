//! A cache of small JSON values with a time to live: in Redis, shared by all processes, or in this process.

use std::time::Duration;

use deadpool_redis::redis::AsyncCommands;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::faults::Faults;
use crate::redis::{Redis, RedisError};

/// A cache. Cloning it is cheap and shares the values.
#[derive(Clone, Debug)]
pub struct Cache {
    store: Store,
    faults: Faults,
}

/// Where cached values are kept.
#[derive(Clone, Debug)]
enum Store {
    InProcess(InProcessCache),
    Redis(Redis),
}

/// Values as JSON text, each with the life that it was given.
type InProcessCache = moka::future::Cache<String, (String, Duration)>;

/// Why the cache gave no answer. Callers go on as if the value were not there.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Redis failed.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The stored value has another form: another version wrote it.
    #[error("a cached value cannot be read: {0}")]
    Form(#[from] serde_json::Error),
    /// Somebody asked for it, to see what happens.
    #[error("an injected fault")]
    Injected,
}

impl Cache {
    /// A cache in this process, of at most `entries` values; the least used ones make room.
    #[must_use]
    pub fn in_process(entries: u64) -> Self {
        let cache = moka::future::Cache::builder().max_capacity(entries).expire_after(OwnLife).build();
        Self { store: Store::InProcess(cache), faults: Faults::disabled() }
    }

    /// A cache in Redis, shared by all processes.
    #[must_use]
    pub const fn in_redis(redis: Redis) -> Self {
        Self { store: Store::Redis(redis), faults: Faults::disabled() }
    }

    /// The same cache, which fails when `faults` say so.
    #[must_use]
    pub fn with_faults(self, faults: &Faults) -> Self {
        Self { faults: faults.clone(), ..self }
    }

    fn may_be_used(&self) -> Result<(), CacheError> {
        if self.faults.cache_fails() { Err(CacheError::Injected) } else { Ok(()) }
    }

    /// The value under `key`, if it is there and has not expired.
    ///
    /// # Errors
    /// When the cache fails, or holds something else under this key.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        self.may_be_used()?;
        let json: Option<String> = match &self.store {
            Store::InProcess(cache) => cache.get(key).await.map(|(json, _)| json),
            Store::Redis(redis) => redis.call("GET", async |connection| connection.get(key).await).await?,
        };
        Ok(json.map(|json| serde_json::from_str(&json)).transpose()?)
    }

    /// Keeps `value` under `key` for a while.
    ///
    /// # Errors
    /// When the cache fails.
    pub async fn set<T: Serialize>(&self, key: &str, value: &T, life: Duration) -> Result<(), CacheError> {
        self.may_be_used()?;
        let json = serde_json::to_string(value)?;
        match &self.store {
            Store::InProcess(cache) => cache.insert(key.to_owned(), (json, life)).await,
            Store::Redis(redis) => {
                let milliseconds = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
                redis
                    .call("PSETEX", async |connection| connection.pset_ex(key, json, milliseconds).await)
                    .await?
            }
        }
        Ok(())
    }

    /// Forgets the value under `key`.
    ///
    /// # Errors
    /// When the cache fails.
    pub async fn forget(&self, key: &str) -> Result<(), CacheError> {
        self.may_be_used()?;
        match &self.store {
            Store::InProcess(cache) => cache.invalidate(key).await,
            Store::Redis(redis) => redis.call("DEL", async |connection| connection.del(key).await).await?,
        }
        Ok(())
    }
}

/// Lets each value live as long as it was told to.
struct OwnLife;

impl moka::Expiry<String, (String, Duration)> for OwnLife {
    fn expire_after_create(
        &self,
        _key: &String,
        (_, life): &(String, Duration),
        _created_at: std::time::Instant,
    ) -> Option<Duration> {
        Some(*life)
    }

    fn expire_after_update(
        &self,
        _key: &String,
        (_, life): &(String, Duration),
        _updated_at: std::time::Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(*life)
    }
}
