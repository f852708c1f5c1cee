//! The storage of the buckets: in Redis for all processes, or in this process alone.

use std::time::{Duration, Instant};

use deadpool_redis::redis::{Cmd, Script, pipe};
use glasshouse_telemetry::service::events::users::AttemptLimiterFailed;

use super::AttemptQuota;
use super::buckets::Buckets;
use super::key::Key;
use crate::redis::{Redis, RedisError, Request};

/// A bucket of one limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// The limit, for reports.
    pub(super) limit: &'static str,
    pub(super) key: Key,
    pub(super) quota: AttemptQuota,
}

/// How long an address is known from which a user has logged in.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The maximum number of known addresses in this process.
const CAPACITY: u64 = 100_000;

/// The buckets, and markers of known addresses.
#[derive(Debug)]
pub(super) struct Store {
    redis: Option<(Redis, Script)>,
    /// Used without Redis, or while it is unavailable.
    buckets: Buckets<Key>,
    known: moka::future::Cache<Key, ()>,
}

impl Store {
    pub(super) fn new(redis: Option<Redis>) -> Self {
        let script = || Script::new(include_str!("take_attempt.lua"));
        let known = moka::future::Cache::builder().max_capacity(CAPACITY).time_to_live(KNOWN_FOR).build();
        Self { redis: redis.map(|redis| (redis, script())), buckets: Buckets::default(), known }
    }

    /// Whether the marker is set, and the time until each bucket has an attempt; `None` if it has one.
    pub(super) async fn inspect(
        &self,
        marker: Option<Key>,
        buckets: &[Bucket],
    ) -> (bool, Vec<Option<Duration>>) {
        if let Some((redis, _)) = &self.redis {
            match inspect_redis(redis, marker, buckets).await {
                Ok(found) => return found,
                Err(error) => AttemptLimiterFailed { error: &error }.emit(),
            }
        }
        let now = Instant::now();
        let is_known = marker.is_some_and(|marker| self.known.contains_key(&marker));
        (is_known, buckets.iter().map(|bucket| self.buckets.wait(&bucket.key, bucket.quota, now)).collect())
    }

    /// Takes an attempt from a bucket, or returns the time until it has one.
    pub(super) async fn take(&self, bucket: &Bucket) -> Result<(), Duration> {
        if let Some((redis, script)) = &self.redis {
            let mut call = script.key(redis_key(bucket.key));
            call.arg(milliseconds(bucket.quota.interval())).arg(milliseconds(bucket.quota.per));
            let taken: Result<u64, RedisError> = redis.call("EVALSHA", Request::Script(&call)).await;
            match taken {
                Ok(0) => return Ok(()),
                Ok(wait) => return Err(Duration::from_millis(wait)),
                Err(error) => AttemptLimiterFailed { error: &error }.emit(),
            }
        }
        self.buckets.take(bucket.key, bucket.quota, Instant::now())
    }

    /// Sets a marker.
    pub(super) async fn remember(&self, marker: Key) {
        self.known.insert(marker, ()).await;
        let Some((redis, _)) = &self.redis else { return };
        let (key, seconds) = (redis_key(marker), KNOWN_FOR.as_secs());
        let set: Result<(), RedisError> =
            redis.call("SETEX", Request::Command(Cmd::set_ex(key, "", seconds))).await;
        if let Err(error) = set {
            AttemptLimiterFailed { error: &error }.emit();
        }
    }
}

/// A bucket is a key that expires when the bucket is full, so its time to live says what is missing.
async fn inspect_redis(
    redis: &Redis,
    marker: Option<Key>,
    buckets: &[Bucket],
) -> Result<(bool, Vec<Option<Duration>>), RedisError> {
    let mut commands = pipe();
    if let Some(marker) = marker {
        commands.exists(redis_key(marker));
    }
    for bucket in buckets {
        commands.pttl(redis_key(bucket.key));
    }
    let mut found: Vec<i64> = redis.call("PTTL", Request::Commands(commands)).await?;
    let is_known = marker.is_some() && !found.is_empty() && found.remove(0) > 0;
    let wait = |(bucket, missing): (&Bucket, i64)| {
        let missing = Duration::from_millis(u64::try_from(missing).unwrap_or_default());
        let wait = (missing + bucket.quota.interval()).saturating_sub(bucket.quota.per);
        Some(wait).filter(|wait| !wait.is_zero())
    };
    Ok((is_known, buckets.iter().zip(found).map(wait).collect()))
}

fn redis_key(key: Key) -> String {
    format!("glasshouse:attempts:{key}")
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
