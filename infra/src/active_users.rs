//! The number of distinct users that were active in the last 15 minutes, counted across all processes in Redis or
//! in this process alone.

use std::time::Duration;

use deadpool_redis::redis::{Cmd, pipe};
use glasshouse_domain::id::UserId;
use glasshouse_telemetry::service::events::cache::ActiveUsersNotCounted;

use crate::clock;
use crate::redis::{Redis, RedisError, Request};

const WINDOW_MINUTES: i64 = 15;

/// Counts active users.
#[derive(Clone, Debug)]
pub struct ActiveUsers {
    /// The users of this process in the last minute, or in the last 15 minutes without Redis.
    recent: moka::future::Cache<UserId, ()>,
    redis: Option<Redis>,
}

/// The maximum number of users that one process holds. Without Redis it is also the highest possible count.
const CAPACITY: u64 = 100_000;

impl ActiveUsers {
    /// Counts the users of this process.
    #[must_use]
    pub fn in_process() -> Self {
        let window = Duration::from_secs(60 * WINDOW_MINUTES.unsigned_abs());
        let recent = moka::future::Cache::builder().max_capacity(CAPACITY).time_to_live(window).build();
        Self { recent, redis: None }
    }

    /// Counts the users of all processes in Redis, in one HyperLogLog for each minute. Its error is about 1 %.
    #[must_use]
    pub fn in_redis(redis: Redis) -> Self {
        let minute = Duration::from_secs(60);
        let recent = moka::future::Cache::builder().max_capacity(CAPACITY).time_to_live(minute).build();
        Self { recent, redis: Some(redis) }
    }

    /// Records a request of a user. Each process writes a user to Redis at most once a minute.
    pub async fn record(&self, user: UserId) {
        if self.recent.contains_key(&user) {
            return;
        }
        self.recent.insert(user, ()).await;
        let Some(redis) = &self.redis else { return };
        let key = key(minute());
        let mut add = pipe();
        add.pfadd(&key, user.to_string()).ignore().expire(&key, 60 * (WINDOW_MINUTES + 1)).ignore();
        let added: Result<(), RedisError> = redis.call("PFADD", Request::Commands(add)).await;
        if let Err(error) = added {
            ActiveUsersNotCounted { error: &error }.emit();
        }
    }

    /// The number of users that were active in the last 15 minutes.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn count(&self) -> Result<u64, RedisError> {
        match &self.redis {
            None => {
                self.recent.run_pending_tasks().await;
                Ok(self.recent.entry_count())
            }
            Some(redis) => {
                let now = minute();
                let keys: Vec<_> = (now - WINDOW_MINUTES + 1..=now).map(key).collect();
                redis.call("PFCOUNT", Request::Command(Cmd::pfcount(keys))).await
            }
        }
    }
}

fn minute() -> i64 {
    clock::now().unix_timestamp() / 60
}

fn key(minute: i64) -> String {
    format!("glasshouse:active_users:{minute}")
}
