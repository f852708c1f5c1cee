//! Limits other than the rate limit of a plan: of useless tokens, of logins and of sign-ups.

use glasshouse_domain::id::{TenantId, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Backend, Client, NO_WORKER, Scrape, TestApp, concurrently, eventually, on_both, statuses,
};

on_both!(useless_tokens_cost_few_queries, a_reactivated_user_is_no_longer_throttled,);

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A token with some claims of a valid one changed.
fn with_claims(token: &str, changes: &[(&str, Value)]) -> String {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let mut claims: Value = decode(token, &key, &validation).unwrap().claims;
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

/// Makes a user inactive, through the API.
async fn deactivate(owner: &Client, user: &Client, method: Method) {
    let me = user.get("/v1/users/me").await;
    let path = format!("/v1/users/{}", me["id"].as_str().unwrap());
    let request = owner.request(method.clone(), &path).header("If-Match", me.header("etag"));
    let request = if method == Method::PATCH { request.json(&json!({ "active": false })) } else { request };
    assert!(request.send().await.unwrap().status().is_success());
}

async fn useless_tokens_cost_few_queries(backend: Backend) {
    const WAVES: usize = 10;
    const WAVE: usize = 20;
    let settings = [&[("JWT_SECRET", SECRET), ("GLASSHOUSE_FAULTS_ENABLED", "true")], NO_WORKER].concat();
    let app = TestApp::start_with(backend, &settings).await;
    let owner = app.new_tenant().await;
    let deactivated = app.add_user(&owner, "member").await;
    let deleted = app.add_user(&owner, "member").await;
    let without_cache = app.add_user(&owner, "member").await;
    deactivate(&owner, &deactivated, Method::PATCH).await;
    deactivate(&owner, &without_cache, Method::PATCH).await;
    deactivate(&owner, &deleted, Method::DELETE).await;
    let unknown = |claim: &str, id: String| {
        app.anonymous().with_token(&with_claims(owner.token(), &[(claim, id.into())]))
    };

    for (what, cache_fails, user) in [
        ("a deactivated user", false, deactivated),
        ("a deleted user", false, deleted),
        ("an unknown user", false, unknown("sub", UserId::new().to_string())),
        ("a user of another tenant", false, unknown("tenant", TenantId::new().to_string())),
        ("a deactivated user, without the cache", true, without_cache),
    ] {
        let faults = if cache_fails { json!({ "cache_errors": {} }) } else { json!({}) };
        app.management().send(Method::PUT, "/faults", Some(faults)).await.expect(200);
        let before = Scrape::of(&app.management()).await;
        let mut responses = Vec::new();
        for _ in 0..WAVES {
            responses.extend(concurrently((0..WAVE).map(|_| user.get("/v1/users/me"))).await);
        }
        let after = Scrape::of(&app.management()).await;
        let more = |metric, labels| after.sum(metric, labels) - before.sum(metric, labels);

        let counts = statuses(&responses);
        assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [401, 429], "{what}: {counts:?}");
        assert!(counts[&429] > WAVES * WAVE / 2, "{what}: {counts:?}");
        assert_eq!(
            more("requests_throttled_total", r#"limit="inactive_user""#),
            counts[&429] as f64,
            "{what}"
        );
        // A lookup precedes each 401, and those that were concurrent with the last one.
        let queries = more("database_acquire_wait_seconds_count", "");
        let max = counts[&401] + WAVE;
        assert!(queries <= max as f64, "{what}: {queries} transactions for {counts:?}");
        let throttled = responses.into_iter().find(|response| response.status == 429).unwrap();
        assert!(throttled.header("retry-after").parse::<u64>().unwrap() >= 1, "{what}");
        throttled.expect_problem(429, "too_many_attempts");
    }
    owner.get("/v1/users/me").await.expect(200);
}

async fn a_reactivated_user_is_no_longer_throttled(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let user = app.add_user(&owner, "member").await;
    let id = user.get("/v1/users/me").await["id"].as_str().unwrap().to_owned();
    deactivate(&owner, &user, Method::PATCH).await;
    let throttled = async || (user.get("/v1/products").await.status == 429).then_some(());
    eventually("the token is throttled", throttled).await;
    let path = format!("/v1/users/{id}");
    let etag = owner.get(&path).await.header("etag").to_owned();
    owner.patch(&path, &etag, json!({ "active": true })).await.expect(200);
    let allowed = async || (user.get("/v1/products").await.status == 200).then_some(());
    eventually("the user is let in", allowed).await;
    for _ in 0..30 {
        user.get("/v1/products").await.expect(200);
    }
}
