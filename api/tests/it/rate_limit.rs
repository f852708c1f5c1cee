//! Rate limits by plan, with a token bucket for each tenant.

use std::time::Instant;

use reqwest::Method;
use serde_json::json;

use crate::outages::gauge;
use crate::support::{
    Backend, Client, PASSWORD, RawRedis, Response, Scrape, TestApp, eventually, new_slug, on_both,
    test_variable,
};

on_both!(
    a_burst_passes_and_then_the_tenant_is_throttled,
    tenants_and_plans_have_buckets_of_their_own,
    a_request_without_authority_takes_no_token,
    exactly_the_burst_passes_under_concurrency,
    a_flood_is_rejected_before_any_lookup,
    a_flood_is_counted_and_not_observed,
);

const LIMITS: [(&str, &str); 2] =
    [("GLASSHOUSE_RATE_LIMIT_FREE", "1/20"), ("GLASSHOUSE_RATE_LIMIT_PRO", "1/30")];

async fn ask(client: &Client) -> Response {
    client.get("/v1/users/me").await
}

fn number(response: &Response, header: &str) -> u64 {
    response.header(header).parse().unwrap_or_else(|_| panic!("{header} in {response:?}"))
}

/// Sends requests until one is rejected. Returns how many passed before, and the rejection.
async fn until_throttled(client: &Client) -> (u64, Response) {
    for passed in 0..1000 {
        let response = ask(client).await;
        if response.status != 200 {
            return (passed, response);
        }
        assert!(number(&response, "ratelimit-remaining") < number(&response, "ratelimit-limit"));
    }
    panic!("no request was rejected");
}

async fn a_burst_passes_and_then_the_tenant_is_throttled(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    let owner = app.new_tenant().await;
    let first = ask(&owner).await;
    assert_eq!((number(&first, "ratelimit-limit"), number(&first, "ratelimit-remaining")), (20, 19));
    assert_eq!(number(&first, "ratelimit-reset"), 1, "one second, and the bucket is full again");

    let (passed, rejected) = until_throttled(&owner).await;
    assert!(passed >= 19, "{passed}");
    assert_eq!(number(&rejected, "ratelimit-limit"), 20);
    assert_eq!(number(&rejected, "ratelimit-remaining"), 0);
    assert_eq!(number(&rejected, "ratelimit-reset"), 1);
    assert_eq!(number(&rejected, "retry-after"), 1);
    rejected.expect_problem(429, "rate_limited");

    eventually("the bucket has a token again", async || (ask(&owner).await.status == 200).then_some(()))
        .await;
}

async fn tenants_and_plans_have_buckets_of_their_own(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    let (one, other) = (app.new_tenant().await, app.new_tenant().await);
    let member = app.add_user(&one, "member").await;
    until_throttled(&one).await;
    assert_eq!(ask(&member).await.status, 429, "the users of a tenant share its bucket");
    assert_eq!(number(&ask(&other).await, "ratelimit-remaining"), 19);
    for (plan, burst) in [("pro", 30), ("enterprise", 4000)] {
        let owner = app.sign_up(&new_slug(), plan).await;
        assert_eq!(number(&ask(&owner).await, "ratelimit-limit"), burst, "{plan}");
    }
    // An unauthenticated request has no tenant, and no limit.
    assert_eq!(ask(&app.anonymous()).await.header("ratelimit-limit"), "");
}

/// A token that is of no use cannot use up the rate limit of the tenant.
async fn a_request_without_authority_takes_no_token(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    let owner = app.new_tenant().await;
    let (deactivated, ended) = (app.add_user(&owner, "member").await, app.add_user(&owner, "member").await);
    let me = ask(&deactivated).await;
    let path = format!("/v1/users/{}", me["id"].as_str().unwrap());
    owner.patch(&path, me.header("etag"), json!({ "active": false })).await.expect(200);
    let change = json!({ "current_password": PASSWORD, "new_password": "a different horse" });
    ended.send(Method::PUT, "/v1/users/me/password", Some(change)).await.expect(204);
    for (client, code) in [(&deactivated, "user_inactive"), (&ended, "session_ended")] {
        let before = number(&ask(&owner).await, "ratelimit-remaining");
        for _ in 0..4 {
            ask(client).await.expect_problem(401, code);
        }
        let after = number(&ask(&owner).await, "ratelimit-remaining");
        assert!(after + 1 >= before, "{code}: {before} tokens, then {after}");
    }
}

/// Sends 100 concurrent requests, round robin through these clients of one tenant, and checks how many pass.
async fn assert_only_the_burst_passes(clients: &[&Client]) {
    let begun = Instant::now();
    let requests: Vec<_> = (0..100)
        .map(|n| {
            let client = clients[n % clients.len()].clone();
            tokio::spawn(async move { ask(&client).await.status.as_u16() })
        })
        .collect();
    let mut passed = 0;
    for request in requests {
        match request.await.unwrap() {
            200 => passed += 1,
            status => assert_eq!(status, 429),
        }
    }
    // One token is added each second, which matters only on a very slow machine.
    let max = 20 + begun.elapsed().as_secs();
    assert!((20..=max).contains(&passed), "{passed} of at most {max}");
}

async fn exactly_the_burst_passes_under_concurrency(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    assert_only_the_burst_passes(&[&app.new_tenant().await]).await;
}

/// One token is added each second here. Until then, the first rejection stands for all that follow.
async fn a_flood_is_rejected_before_any_lookup(backend: Backend) {
    const FLOOD: f64 = 50.0;
    let app = TestApp::start_with(backend, &LIMITS).await;
    let owner = app.new_tenant().await;
    let (_, rejected) = until_throttled(&owner).await;
    assert_eq!(rejected.status, 429);
    let before = Scrape::of(&app.management()).await;
    let begun = Instant::now();
    for _ in 0..FLOOD as u32 {
        ask(&owner).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after = Scrape::of(&app.management()).await;
    let more = |metric, labels| after.sum(metric, labels) - before.sum(metric, labels);
    // One token is added each second. One request takes it, and the bucket rejects the next one.
    let max = 2.0 * (seconds.floor() + 1.0);
    let lookups = more("cache_requests_total", r#"cache="principals""#);
    assert!(lookups <= max, "{lookups} lookups in {seconds} s");
    assert!(more("tenant_rate_limited_total", "") >= FLOOD - max, "each rejection is counted");
    assert_eq!(more("api_calls_total", ""), FLOOD, "each request counts for the tenant");
}

/// One token is added each second here, which lets one request pass.
async fn a_flood_is_counted_and_not_observed(backend: Backend) {
    const FLOOD: usize = 300;
    let app = TestApp::start_with(backend, &LIMITS).await;
    let (owner, other) = (app.new_tenant().await, app.new_tenant().await);
    until_throttled(&owner).await;
    let before = Scrape::of(&app.management()).await;
    let (begun, mut passed) = (Instant::now(), 0.0);
    for n in 0..FLOOD {
        let request = owner.request(Method::GET, "/v1/users/me").header("x-request-id", format!("flood-{n}"));
        let response = Response::of(request).await;
        assert_eq!(response.header("x-request-id"), format!("flood-{n}"));
        assert_eq!(response.header("cache-control"), "no-store");
        assert_eq!((number(&response, "ratelimit-limit"), number(&response, "ratelimit-remaining")), (20, 0));
        match response.status.as_u16() {
            200 => passed += 1.0,
            _ => {
                assert_eq!(number(&response, "retry-after"), 1);
                assert_eq!(response["request_id"], format!("flood-{n}"));
                response.expect_problem(429, "rate_limited");
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    ask(&other).await.expect(200);
    let after = Scrape::of(&app.management()).await;
    let rise = |metric: &str, labels: &str| after.sum(metric, labels) - before.sum(metric, labels);
    let rejected = rise("http_requests_total", r#"endpoint="/v1/users/me",method="GET",status="429""#);
    assert_eq!(rejected, FLOOD as f64 - passed);
    assert_eq!(rise("tenant_rate_limited_total", ""), rejected);
    assert_eq!(rise("api_calls_total", ""), FLOOD as f64 + 1.0);
    // The first 20 of each second, and the one that is reported.
    let observed = rise("http_request_duration_seconds_count", r#"endpoint="/v1/users/me""#);
    let most = passed + 1.0 + 21.0 * (seconds.ceil() + 1.0);
    assert!(observed <= most.min(FLOOD as f64 - 1.0), "{observed} of at most {most}");
    owner.get("/health/ready").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_a_bucket_through_redis() {
    let secret = ("JWT_SECRET", "a secret that both processes have, for tokens");
    let settings = [LIMITS[0], LIMITS[1], secret];
    let app = TestApp::start_with(Backend::Servers, &settings).await;
    let other = TestApp::start_on(app.database.clone(), &settings).await;
    let owner = app.new_tenant().await;
    let through_other = other.anonymous().with_token(owner.token());
    assert_only_the_burst_passes(&[&owner, &through_other]).await;
}

/// Whoever can write to Redis can give a tenant another burst, by deleting its bucket, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_bucket_neither_lifts_a_limit_nor_locks_a_tenant_out() {
    let app = TestApp::start_with(Backend::Servers, &LIMITS).await;
    let owner = app.new_tenant().await;
    ask(&owner).await;
    let mut redis = RawRedis::connect().await;
    let tenants = format!("SELECT id::text AS n FROM tenants WHERE slug = '{}'", owner.tenant());
    let tenant: String = app.database.query(&tenants).await[0].try_get("", "n").unwrap();
    let key = format!("glasshouse:rate_limit:{tenant}");
    for (tokens, at) in [
        ("1e300", "0"),
        ("inf", "0"),
        ("nan", "nan"),
        ("-1e300", "-1e300"),
        ("-inf", "inf"),
        ("0", "1e300"),
        ("", ""),
        ("many", "ever"),
        ("20", "-nan"),
    ] {
        redis.delete(&key).await;
        redis.run(&["HSET", &key, "tokens", tokens, "at", at]).await;
        limited_and_not_locked_out(&owner, &format!("tokens {tokens:?}, at {at:?}")).await;
    }
    for command in [&["SET", &key, "20"][..], &["RPUSH", &key, "20"], &["HSET", &key, "other", "20"]] {
        redis.delete(&key).await;
        redis.run(command).await;
        limited_and_not_locked_out(&owner, command[0]).await;
    }
}

async fn limited_and_not_locked_out(client: &Client, what: &str) {
    eventually(&format!("a request passes: {what}"), async || {
        (ask(client).await.status == 200).then_some(())
    })
    .await;
    let begun = Instant::now();
    let (passed, _) = until_throttled(client).await;
    let max = 20 + begun.elapsed().as_secs() + 1;
    assert!(passed <= max, "{passed} of at most {max} passed: {what}");
}

/// Redis rejects writes as a read-only replica does, or one without memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_is_read_although_redis_rejects_writes() {
    let mut redis = RawRedis::connect().await;
    let user = new_slug();
    redis.run(&["ACL", "SETUSER", &user, "on", ">password", "~*", "&*", "+@all"]).await;
    let mut url = url::Url::parse(&test_variable("TEST_REDIS_URL")).unwrap();
    url.set_username(&user).unwrap();
    url.set_password(Some("password")).unwrap();
    let app = TestApp::start_with(Backend::Servers, &[("REDIS_URL", url.as_str())]).await;
    let owner = app.new_tenant().await;
    ask(&owner).await.expect(200);
    assert_eq!(gauge(&app, "rate_limiter_local").await, 0.0);

    redis.run(&["ACL", "SETUSER", &user, "-hset"]).await;
    let hits = async || Scrape::of(&app.management()).await.sum("cache_requests_total", r#"result="hit""#);
    let before = hits().await;
    let response = ask(&owner).await;
    assert_eq!(response.header("ratelimit-limit"), "100000");
    response.expect(200);
    assert_eq!(hits().await, before + 1.0);
    assert_eq!(gauge(&app, "rate_limiter_local").await, 1.0);

    redis.run(&["ACL", "SETUSER", &user, "+hset"]).await;
    ask(&owner).await.expect(200);
    assert_eq!(gauge(&app, "rate_limiter_local").await, 0.0);
    redis.run(&["ACL", "DELUSER", &user]).await;
}
