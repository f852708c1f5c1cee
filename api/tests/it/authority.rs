//! The authority of a user who has changed: neither an outdated nor a forged entry of the cache grants anything.

use serde_json::{Value, json};

use crate::support::{
    Backend, Client, Proxy, RawRedis, Response, Scrape, TestApp, TestDatabase, operations, test_variable,
    valid_bodies,
};

const SECRET: (&str, &str) = ("JWT_SECRET", "a secret that both processes have, for tokens");

/// Two processes of one service: users are changed through `writer`, and make their requests through `reader`. Each
/// has a proxy in front of Redis.
struct TwoProcesses {
    writer: TestApp,
    reader: TestApp,
    writers_redis: Proxy,
    readers_redis: Proxy,
    owner: Client,
    product: String,
}

/// A user of the tenant.
struct User {
    /// Sends requests to the reader.
    client: Client,
    id: String,
    etag: String,
}

impl TwoProcesses {
    async fn start(redis_timeout_ms: &str) -> Self {
        let database = TestDatabase::create(Backend::Servers).await;
        let redis = test_variable("TEST_REDIS_URL");
        let (writers_redis, readers_redis) = (Proxy::before(&redis), Proxy::before(&redis));
        let start = async |redis: &Proxy| {
            let settings = [SECRET, ("REDIS_URL", redis.url()), ("REDIS_TIMEOUT_MS", redis_timeout_ms)];
            TestApp::start_on(database.clone(), &settings).await
        };
        let (writer, reader) = (start(&writers_redis).await, start(&readers_redis).await);
        let owner = writer.new_tenant().await;
        let product = owner.add_product(100).await;
        Self { writer, reader, writers_redis, readers_redis, owner, product }
    }

    async fn user(&self, role: &str) -> User {
        let client = self.writer.add_user(&self.owner, role).await;
        let client = self.reader.anonymous().with_token(client.token()).in_tenant(self.owner.tenant());
        let me = client.get("/v1/users/me").await;
        User { id: me["id"].as_str().unwrap().to_owned(), etag: me.header("etag").to_owned(), client }
    }

    /// Changes a user through the writer.
    async fn change(&self, user: &mut User, change: Value) {
        let path = format!("/v1/users/{}", user.id);
        let changed = self.owner.patch(&path, &user.etag, change).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        user.etag = changed.header("etag").to_owned();
    }

    /// Sends a valid request of an operation through the reader.
    async fn request(&self, user: &User, operation: &str) -> Response {
        let id = if operation.contains("/users/") { &user.id } else { &self.product };
        let bodies = valid_bodies(&self.product);
        let body = bodies.into_iter().find(|(name, _)| *name == operation).map(|(_, body)| body.to_string());
        let operation = match operation {
            "GET /v1/reports/revenue" => "GET /v1/reports/revenue?from=2026-01-01&to=2026-12-31",
            operation => operation,
        };
        user.client.send_raw(operation, id, body.unwrap_or_default()).await
    }
}

/// The operations that need a token.
fn protected() -> Vec<String> {
    let all = operations().into_iter();
    let protected = all.filter(|(_, operation)| operation["security"][0]["bearer"].is_array());
    protected.map(|(name, _)| name).collect()
}

async fn rejected(app: &TestApp, reason: &str) -> f64 {
    let labels = format!("cache=\"principals\",reason=\"{reason}\"");
    Scrape::of(&app.management()).await.sum("cache_entries_rejected_total", &labels)
}

/// The process that deactivates the user cannot update the cache, from which the other process reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deactivation_takes_effect_at_once_although_the_cache_could_not_be_told() {
    let two = TwoProcesses::start("250").await;
    let mut redis = RawRedis::connect().await;
    for hangs in [false, true] {
        let mut user = two.user("owner").await;
        let key = redis.principal_key(&user.id).await.unwrap();
        let outdated = redis.get(&key).await;
        if hangs {
            two.writers_redis.hang();
        } else {
            two.writers_redis.refuse().await;
        }
        two.change(&mut user, json!({ "active": false })).await;
        assert_eq!(redis.get(&key).await, outdated, "the cache was not updated");

        two.request(&user, "GET /v1/users/me").await.expect_problem(401, "user_inactive");
        // The refused entry is gone. With it, each operation refuses the user.
        for operation in protected() {
            redis.overwrite(&key, &outdated).await;
            let refused = two.request(&user, &operation).await;
            assert_eq!(refused.status, 401, "{operation}: {}", refused.body);
            refused.expect_problem(401, "user_inactive");
        }
        assert!(rejected(&two.reader, "outdated").await >= 1.0, "refused entries are counted");
        two.writers_redis.restore();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demotion_takes_effect_at_once_although_the_cache_could_not_be_told() {
    let two = TwoProcesses::start("250").await;
    let mut redis = RawRedis::connect().await;
    two.writers_redis.refuse().await;
    for (role, lower) in [("owner", "admin"), ("owner", "member"), ("admin", "member")] {
        let mut user = two.user(role).await;
        let key = redis.principal_key(&user.id).await.unwrap();
        let outdated = redis.get(&key).await;
        two.change(&mut user, json!({ "role": lower })).await;
        for operation in protected() {
            redis.overwrite(&key, &outdated).await;
            two.request(&user, &operation).await.expect_problem(403, "role_changed");
            assert_ne!(two.request(&user, &operation).await.body["code"], "role_changed", "{operation}");
        }
    }
}

/// A reader that looks the user up before the change, and fills the cache after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fill_that_began_before_a_change_does_not_undo_it() {
    let two = TwoProcesses::start("20000").await;
    let mut redis = RawRedis::connect().await;
    for change in [json!({ "active": false }), json!({ "role": "member" }), json!({ "role": "owner" })] {
        let mut user = two.user("admin").await;
        let key = redis.principal_key(&user.id).await.unwrap();
        redis.delete(&key).await;
        two.readers_redis.hold("\"role\":");
        let filling = tokio::spawn({
            let client = user.client.clone();
            async move { client.get("/v1/products").await }
        });
        two.readers_redis.holds().await;
        two.change(&mut user, change.clone()).await;
        let changed = redis.get(&key).await;
        two.readers_redis.release();
        filling.await.unwrap();
        // The request that filled the cache is refused if the change took authority away, and removes the entry.
        let stored = redis.find(&key).await;
        assert!(stored.is_none_or(|stored| stored == changed), "the fill replaced a newer entry: {change}");
        let me = two.request(&user, "GET /v1/users/me").await;
        if change["active"] == false {
            me.expect_problem(401, "user_inactive");
        } else {
            assert_eq!(me.expect(200)["role"], change["role"]);
        }
    }
}

/// Whoever can write to Redis cannot become another user, or get another role.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_program_writes_into_the_cache_is_not_believed() {
    let two = TwoProcesses::start("20000").await;
    let mut redis = RawRedis::connect().await;
    let (mut user, other) = (two.user("owner").await, two.user("owner").await);
    let stranger = two.reader.new_tenant().await.get("/v1/users/me").await;
    let (key, others_key) =
        (redis.principal_key(&user.id).await.unwrap(), redis.principal_key(&other.id).await.unwrap());
    let strangers_key = redis.principal_key(stranger["id"].as_str().unwrap()).await.unwrap();
    let replayed = redis.get(&key).await;
    two.change(&mut user, json!({ "role": "member" })).await;
    let own = redis.get(&key).await;
    assert!(own.contains("member"), "{own}");
    let limit = user.client.get("/v1/users/me").await.header("ratelimit-limit").to_owned();
    let owner = json!({ "role": "owner", "plan": "enterprise" }).to_string();
    let forged = [
        ("plain JSON", owner.clone()),
        ("another role", own.replace("member", "owner")),
        ("another plan", own.replace("free", "enterprise")),
        ("another version", own.replacen('2', "3", 1)),
        ("a later expiry", own.replacen(":1", ":9", 1)),
        ("without a code", format!("9:9999999999999::{owner}")),
        ("with a code of zeros", format!("9:9999999999999:{}:{owner}", "0".repeat(64))),
        ("another user", redis.get(&others_key).await),
        ("a user of another tenant", redis.get(&strangers_key).await),
        ("nothing", String::new()),
        ("null", "null".to_owned()),
        ("much", "9".repeat(1_000_000)),
    ];
    for (what, entry) in
        forged.iter().map(|(what, entry)| (*what, entry.as_bytes())).chain([("binary", &[0xff, 0][..])])
    {
        let before = rejected(&two.reader, "not_authentic").await;
        redis.overwrite(&key, entry).await;
        let refused = two.request(&user, "GET /v1/users").await;
        assert_eq!(refused.header("ratelimit-limit"), limit, "{what}");
        refused.expect_problem(403, "admin_only");
        assert_eq!(rejected(&two.reader, "not_authentic").await, before + 1.0, "{what}");
        assert_eq!(two.request(&user, "GET /v1/users/me").await.expect(200)["role"], "member", "{what}");
        assert!(redis.get(&key).await.contains("member"), "the entry is replaced: {what}");
    }
    // An entry that was authentic once, and a key of another type.
    redis.overwrite(&key, &replayed).await;
    two.request(&user, "GET /v1/users").await.expect_problem(403, "role_changed");
    two.request(&user, "GET /v1/users").await.expect_problem(403, "admin_only");
    redis.delete(&key).await;
    redis.run(&["RPUSH", &key, &replayed]).await;
    two.request(&user, "GET /v1/users").await.expect_problem(403, "admin_only");
    assert!(redis.get(&key).await.contains("member"), "the key is replaced");
}
