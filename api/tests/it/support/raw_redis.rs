//! Redis as another program sees it, which may read and overwrite what the service stores there.

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncCommands, Client, cmd};

use super::test_variable;

/// A connection to the Redis of the tests.
pub(crate) struct RawRedis(MultiplexedConnection);

impl RawRedis {
    pub(crate) async fn connect() -> Self {
        let client = Client::open(test_variable("TEST_REDIS_URL")).unwrap();
        Self(client.get_multiplexed_async_connection().await.unwrap())
    }

    /// The key of the cached principal of this user.
    pub(crate) async fn principal_key(&mut self, user: &str) -> Option<String> {
        let keys: Vec<String> = self.0.keys(format!("glasshouse:principal:*:{user}")).await.unwrap();
        keys.into_iter().next()
    }

    pub(crate) async fn get(&mut self, key: &str) -> String {
        self.find(key).await.unwrap()
    }

    pub(crate) async fn find(&mut self, key: &str) -> Option<String> {
        self.0.get(key).await.unwrap()
    }

    /// Overwrites a key, for a minute.
    pub(crate) async fn overwrite(&mut self, key: &str, value: impl AsRef<[u8]>) {
        let () = self.0.set_ex(key, value.as_ref(), 60).await.unwrap();
    }

    pub(crate) async fn delete(&mut self, key: &str) {
        let () = self.0.del(key).await.unwrap();
    }

    /// Runs a command, such as `["HSET", "key", "field", "value"]`.
    pub(crate) async fn run(&mut self, command: &[&str]) {
        let mut run = cmd(command[0]);
        let () = run.arg(&command[1..]).query_async(&mut self.0).await.unwrap();
    }
}
