//! A cache of small JSON values with a version and a time to live, in Redis for all processes or in this process alone.
//!
//! A value never replaces a newer version, so a process that read it before a change and stores it after the change does
//! no harm. Entries in Redis are authenticated (see `seal`).

mod seal;

pub use seal::{NotAuthentic, Seal};

use std::time::Duration;

use deadpool_redis::redis::{Cmd, Script};
use moka::ops::compute::Op;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock;
use crate::faults::Faults;
use crate::redis::{Redis, RedisError, Request};

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
    Redis { redis: Redis, seal: Seal, script: Script },
}

type InProcessCache = moka::future::Cache<String, InProcessEntry>;

/// A value in the memory of this process.
#[derive(Clone, Debug)]
struct InProcessEntry {
    json: String,
    version: u32,
    time_to_live: Duration,
}

/// Why a cache operation failed. Callers treat a failed lookup as a miss.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Redis failed.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The entry was not written by this service for this key.
    #[error("the cached entry is not authentic")]
    NotAuthentic,
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

    /// A cache in Redis, shared by all processes with the same `secret`, from which the key is derived that
    /// authenticates entries.
    #[must_use]
    pub fn in_redis(redis: Redis, secret: &SecretString) -> Self {
        let script = Script::new(include_str!("set_unless_newer.lua"));
        Self { store: Store::Redis { redis, seal: Seal::new(secret), script }, faults: Faults::disabled() }
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
    /// When the cache fails, or the entry is not authentic or cannot be decoded.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        self.get_by(key, async |redis| redis.get(key).await).await
    }

    /// The same, with an entry of Redis that `read` has read, in a call that does more.
    ///
    /// # Errors
    /// Like [`get`](Self::get).
    pub(crate) async fn get_by<T: DeserializeOwned>(
        &self,
        key: &str,
        read: impl AsyncFnOnce(&Redis) -> Result<Option<Vec<u8>>, RedisError>,
    ) -> Result<Option<T>, CacheError> {
        self.inject_fault()?;
        match &self.store {
            Store::InProcess(cache) => {
                let entry = cache.get(key).await;
                Ok(entry.map(|entry| serde_json::from_str(&entry.json)).transpose()?)
            }
            Store::Redis { redis, seal, .. } => {
                let Some(entry) = read(redis).await? else { return Ok(None) };
                let entry = std::str::from_utf8(&entry).map_err(|_| CacheError::NotAuthentic)?;
                let json = seal.open(key, entry, clock::now()).map_err(|_| CacheError::NotAuthentic)?;
                Ok(json.map(serde_json::from_str).transpose()?)
            }
        }
    }

    /// Stores a value that expires after `time_to_live`, unless a newer version is stored.
    ///
    /// # Errors
    /// When the cache fails.
    pub async fn set<T: Serialize>(
        &self,
        key: &str,
        version: u32,
        value: &T,
        time_to_live: Duration,
    ) -> Result<(), CacheError> {
        self.inject_fault()?;
        let json = serde_json::to_string(value)?;
        match &self.store {
            Store::InProcess(cache) => {
                let new = InProcessEntry { json, version, time_to_live };
                let unless_newer = |stored: Option<moka::Entry<String, InProcessEntry>>| {
                    let is_newer = stored.is_some_and(|stored| stored.value().version > version);
                    std::future::ready(if is_newer { Op::Nop } else { Op::Put(new) })
                };
                cache.entry_by_ref(key).and_compute_with(unless_newer).await;
                Ok(())
            }
            Store::Redis { redis, seal, script } => {
                let entry = seal.close(key, version, &json, clock::now() + time_to_live);
                let mut call = script.key(key);
                let milliseconds = u64::try_from(time_to_live.as_millis()).unwrap_or(u64::MAX);
                call.arg(entry).arg(version).arg(milliseconds);
                Ok(redis.call("EVALSHA", Request::Script(&call)).await?)
            }
        }
    }

    /// Deletes the value of `key`.
    ///
    /// # Errors
    /// When the cache fails.
    pub async fn delete(&self, key: &str) -> Result<(), CacheError> {
        self.inject_fault()?;
        match &self.store {
            Store::InProcess(cache) => {
                cache.invalidate(key).await;
                Ok(())
            }
            Store::Redis { redis, .. } => Ok(redis.call("DEL", Request::Command(Cmd::del(key))).await?),
        }
    }
}

/// Expires each value after its own time to live.
struct PerValueExpiry;

impl moka::Expiry<String, InProcessEntry> for PerValueExpiry {
    fn expire_after_create(
        &self,
        _key: &String,
        entry: &InProcessEntry,
        _created_at: std::time::Instant,
    ) -> Option<Duration> {
        Some(entry.time_to_live)
    }

    fn expire_after_update(
        &self,
        _key: &String,
        entry: &InProcessEntry,
        _updated_at: std::time::Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.time_to_live)
    }
}
