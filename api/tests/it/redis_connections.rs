//! The connections to Redis: how often a request waits for it, and what happens when they are lost.

use futures_util::future::join_all;

use crate::outages::{gauge, uses_redis_again};
use crate::support::{BehindProxies, Client, NO_WORKER, Proxy, Scrape, TestApp, eventually};

/// How often a request waited for Redis: the least of several, because a connection that was idle for long is checked, and each
/// minute a user is counted again.
async fn round_trips(redis: &Proxy, client: &Client, path: &str) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..5 {
        let before = redis.requests();
        client.get(path).await.expect(200);
        least = least.min(redis.requests() - before);
    }
    least
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_waits_once_for_the_cache_and_the_rate_limit() {
    let BehindProxies { app, postgres: _postgres, redis } = BehindProxies::start(NO_WORKER).await;
    let owner = app.new_tenant().await;
    for path in ["/v1/users/me", "/v1/products", "/v1/orders"] {
        assert_eq!(round_trips(&redis, &owner, path).await, 1, "{path}");
    }
    assert_eq!(round_trips(&redis, &app.anonymous(), "/health/live").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_uses_redis_although_its_connection_was_closed() {
    let BehindProxies { app, postgres: _postgres, redis } = BehindProxies::start(NO_WORKER).await;
    let owner = app.new_tenant().await;
    for _ in 0..3 {
        owner.get("/v1/users/me").await.expect(200);
        redis.close_connections().await;
        owner.get("/v1/users/me").await.expect(200);
        assert_eq!(gauge(&app, "redis_circuit_open").await, 0.0);
        assert_eq!(gauge(&app, "rate_limiter_local").await, 0.0);
    }
}

/// Sends requests of which several wait for Redis at the same time, each on a connection of its own.
async fn concurrently(app: &TestApp, owner: &Client, redis: &Proxy) {
    redis.hold("glasshouse:principal");
    let requests = (0..8).map(|_| owner.get("/v1/users/me"));
    let wait = eventually("several connections are in use", async || {
        let active = Scrape::of(&app.management()).await.sum("redis_connections", r#"state="active""#);
        (active >= 4.0).then(|| redis.release())
    });
    let (responses, ()) = tokio::join!(join_all(requests), wait);
    for response in responses {
        response.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_that_does_not_respond_makes_all_others_replaced() {
    let settings = [NO_WORKER, &[("REDIS_TIMEOUT_MS", "5000")]].concat();
    let BehindProxies { app, postgres: _postgres, redis } = BehindProxies::start(&settings).await;
    let owner = app.new_tenant().await;
    concurrently(&app, &owner, &redis).await;
    assert_eq!(gauge(&app, "redis_circuit_open").await, 0.0);
    redis.lose_connections();
    owner.get("/v1/users/me").await.expect(200);
    uses_redis_again(&app, &owner).await;
    concurrently(&app, &owner, &redis).await;
    assert_eq!(gauge(&app, "redis_circuit_open").await, 0.0, "no other connection had to time out");
}
