//! How many different users were seen in the last 15 minutes: in Redis for all processes together, or in this
//! process.

use std::time::Duration;

use deadpool_redis::redis::AsyncCommands;
use glasshouse_domain::id::UserId;
use glasshouse_telemetry::events::cache::ActiveUsersNotCounted;

use crate::clock;
use crate::redis::{Redis, RedisError};

const MINUTES: i64 = 15;

/// Remembers who was seen.
#[derive(Clone, Debug)]
pub struct ActiveUsers {
    /// Who was seen by this process in the last minute, or in the last 15 where there is no Redis.
    seen: moka::future::Cache<UserId, ()>,
    redis: Option<Redis>,
}

/// More users than this are counted too low in one process without Redis.
const CAPACITY: u64 = 100_000;

impl ActiveUsers {
    /// Counts in this process alone.
    #[must_use]
    pub fn in_process() -> Self {
        let life = Duration::from_secs(60 * MINUTES.unsigned_abs());
        let seen = moka::future::Cache::builder().max_capacity(CAPACITY).time_to_live(life).build();
        Self { seen, redis: None }
    }

    /// Counts in Redis: a HyperLogLog for each minute, which is exact to about 1 %.
    #[must_use]
    pub fn in_redis(redis: Redis) -> Self {
        let minute = Duration::from_secs(60);
        let seen = moka::future::Cache::builder().max_capacity(CAPACITY).time_to_live(minute).build();
        Self { seen, redis: Some(redis) }
    }

    /// A user was seen. Redis is told once a minute and process.
    pub async fn see(&self, user: UserId) {
        if self.seen.contains_key(&user) {
            return;
        }
        self.seen.insert(user, ()).await;
        let Some(redis) = &self.redis else { return };
        let key = key(minute());
        let add = redis.call("PFADD", async |connection| {
            let () = connection.pfadd(&key, user.to_string()).await?;
            connection.expire(&key, 60 * (MINUTES + 1)).await
        });
        let added: Result<(), RedisError> = add.await;
        if let Err(error) = added {
            ActiveUsersNotCounted { error: &error }.emit();
        }
    }

    /// How many were seen.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn count(&self) -> Result<u64, RedisError> {
        match &self.redis {
            None => {
                self.seen.run_pending_tasks().await;
                Ok(self.seen.entry_count())
            }
            Some(redis) => {
                let now = minute();
                let keys: Vec<_> = (now - MINUTES + 1..=now).map(key).collect();
                redis.call("PFCOUNT", async |connection| connection.pfcount(keys).await).await
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
