//! Limits of failed logins, of sign-ups and of password resets, and the plan of a sign-up.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    Backend, BehindProxies, Client, PASSWORD, Process, Response, Scrape, TestApp, eventually, new_slug,
    on_both, settings,
};

on_both!(
    guesses_of_one_password_are_throttled_and_the_user_is_not,
    guesses_from_many_addresses_are_throttled_and_a_known_address_is_not,
    guesses_in_many_accounts_are_throttled,
    sign_ups_are_throttled,
    password_resets_are_throttled,
    wrong_tokens_of_password_resets_are_throttled,
    a_sign_up_gets_the_plan_free,
    an_operator_sets_a_plan,
);

const LIMITS: [(&str, &str); 7] = [
    ("GLASSHOUSE_LOGIN_LIMIT", "3/3600"),
    ("GLASSHOUSE_LOGIN_LIMIT_ACCOUNT", "7/3600"),
    ("GLASSHOUSE_LOGIN_LIMIT_ADDRESS", "9/3600"),
    ("GLASSHOUSE_SIGN_UP_LIMIT", "4/3600"),
    ("GLASSHOUSE_PASSWORD_RESET_LIMIT_ACCOUNT", "3/3600"),
    ("GLASSHOUSE_PASSWORD_RESET_LIMIT_ADDRESS", "5/3600"),
    // Clients choose their address in these tests.
    ("GLASSHOUSE_TRUSTED_PROXIES", "127.0.0.1"),
];

/// An address that no other test uses: they share the limits in Redis.
fn new_address() -> String {
    let random = uuid::Uuid::now_v7().simple().to_string();
    format!("2001:db8:{}:{}::1", &random[24..28], &random[28..])
}

/// Another address of the same client: a host chooses from its /64 network.
fn sibling(address: &str) -> String {
    address.replace("::1", "::abcd:2")
}

async fn post(client: &Client, address: &str, path: &str, body: &Value) -> Response {
    let request = client.request(reqwest::Method::POST, path).header("X-Forwarded-For", address);
    Response::of(request.json(body)).await
}

async fn log_in(app: &TestApp, address: &str, tenant: &str, email: &str, password: &str) -> Response {
    let body = json!({ "tenant": tenant, "email": email, "password": password });
    post(&app.anonymous(), address, "/v1/auth/login", &body).await
}

/// Guesses until a login is throttled. Returns how many were rejected before.
async fn guess(app: &TestApp, address: &str, tenant: &str, email: &str) -> u32 {
    for rejected in 0..50 {
        let response = log_in(app, address, tenant, email, "another password").await;
        if response.status == 429 {
            assert_throttled(response, "too many failed logins: retry later");
            return rejected;
        }
        response.expect_problem(401, "wrong_credentials");
    }
    panic!("no login was throttled");
}

#[track_caller]
fn assert_throttled(response: Response, detail: &str) {
    let retry_after: u64 = response.header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&retry_after), "{retry_after}");
    assert_eq!(response.expect_problem(429, "too_many_attempts")["detail"], detail);
}

/// A tenant whose sign-up counts for an address of its own. Returns its owner, and the owner's e-mail address.
async fn new_tenant(app: &TestApp, address: &str) -> (Client, String) {
    let slug = new_slug();
    let email = format!("owner@{slug}.example");
    let owner = json!({ "email": email, "password": PASSWORD });
    let body = json!({ "slug": slug, "name": slug, "owner": owner });
    post(&app.anonymous(), address, "/v1/tenants", &body).await.expect(201);
    let token = log_in(app, address, &slug, &email, PASSWORD).await.expect(200);
    (app.anonymous().with_token(token["access_token"].as_str().unwrap()).in_tenant(&slug), email)
}

async fn logins(app: &TestApp, result: &str) -> f64 {
    Scrape::of(&app.management()).await.sum("login_attempts_total", &format!("result=\"{result}\""))
}

async fn guesses_of_one_password_are_throttled_and_the_user_is_not(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    let (home, attacker) = (new_address(), new_address());
    let (owner, email) = new_tenant(&app, &home).await;
    let slug = owner.tenant();
    assert_eq!(guess(&app, &attacker, slug, &email).await, 3);
    // The correct password is no exception: its acceptance would reveal it to the attacker.
    let correct = log_in(&app, &attacker, slug, &email, PASSWORD).await;
    assert_throttled(correct, "too many failed logins: retry later");
    log_in(&app, &sibling(&attacker), slug, &email, PASSWORD).await.expect_problem(429, "too_many_attempts");
    log_in(&app, &attacker, slug, &email.to_uppercase(), "x").await.expect_problem(429, "too_many_attempts");
    log_in(&app, &home, slug, &email, PASSWORD).await.expect(200);
    // An account that does not exist is limited alike.
    assert_eq!(guess(&app, &attacker, slug, "unknown@example.com").await, 3);
    assert_eq!(guess(&app, &attacker, "no-such-tenant", &email).await, 3);
    assert_eq!((logins(&app, "failure").await, logins(&app, "throttled").await), (9.0, 6.0));
    // Successful logins are not limited.
    for _ in 0..20 {
        log_in(&app, &home, slug, &email, PASSWORD).await.expect(200);
    }
}

async fn guesses_from_many_addresses_are_throttled_and_a_known_address_is_not(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    let home = new_address();
    let (owner, email) = new_tenant(&app, &home).await;
    let mut rejected = 0;
    for _ in 0..5 {
        rejected += guess(&app, &new_address(), owner.tenant(), &email).await;
    }
    assert_eq!(rejected, 7);
    assert_eq!(guess(&app, &new_address(), owner.tenant(), &email).await, 0);
    log_in(&app, &home, owner.tenant(), &email, PASSWORD).await.expect(200);
    log_in(&app, &sibling(&home), owner.tenant(), &email, PASSWORD).await.expect(200);
    // Their own mistakes count.
    assert_eq!(guess(&app, &home, owner.tenant(), &email).await, 3);
}

async fn guesses_in_many_accounts_are_throttled(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    let (home, attacker) = (new_address(), new_address());
    let (owner, email) = new_tenant(&app, &home).await;
    log_in(&app, &attacker, owner.tenant(), &email, PASSWORD).await.expect(200);
    let accounts = [
        (owner.tenant(), "ada@example.com"),
        (owner.tenant(), "no address at all"),
        ("No Slug At All", "ada@example.com"),
        ("no-such-tenant", "ada@example.com"),
    ];
    for n in 0..9 {
        let (tenant, email) = accounts[n % accounts.len()];
        log_in(&app, &attacker, tenant, email, "another password")
            .await
            .expect_problem(401, "wrong_credentials");
    }
    for (tenant, email) in accounts.into_iter().chain([(owner.tenant(), "new@example.com")]) {
        let response = log_in(&app, &attacker, tenant, email, "another password").await;
        response.expect_problem(429, "too_many_attempts");
    }
    // A user who has logged in from this address is let in, as are all users elsewhere.
    log_in(&app, &attacker, owner.tenant(), &email, PASSWORD).await.expect(200);
    log_in(&app, &home, owner.tenant(), "new@example.com", "x")
        .await
        .expect_problem(401, "wrong_credentials");
}

async fn sign_ups_are_throttled(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    let (address, other) = (new_address(), new_address());
    let owner = json!({ "email": "ada@example.com", "password": PASSWORD });
    let body = |slug: String| json!({ "slug": slug, "name": "New", "owner": owner });
    let sign_up =
        async |address: &str, slug: String| post(&app.anonymous(), address, "/v1/tenants", &body(slug)).await;
    for _ in 0..10 {
        sign_up(&address, "No Slug".to_owned()).await.expect_problem(422, "invalid_fields");
    }
    for _ in 0..4 {
        sign_up(&address, new_slug()).await.expect(201);
    }
    for address in [&address, &sibling(&address)] {
        let throttled = sign_up(address, new_slug()).await;
        assert_throttled(throttled, "too many sign-ups from your address: retry later");
    }
    sign_up(&other, new_slug()).await.expect(201);
    let scrape = Scrape::of(&app.management()).await;
    assert_eq!(scrape.sum("requests_throttled_total", r#"limit="sign_up""#), 2.0);
}

async fn password_resets_are_throttled(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    let (owner, email) = new_tenant(&app, &new_address()).await;
    let request = async |address: &str, tenant: &str, email: &str| {
        let body = json!({ "tenant": tenant, "email": email });
        post(&app.anonymous(), address, "/v1/auth/password-reset/request", &body).await
    };
    let detail = "too many requests to reset a password: retry later";
    // Whether or not the account exists.
    let slug = new_slug();
    for (tenant, email) in
        [(owner.tenant(), &*email), (owner.tenant(), "unknown@example.com"), (&slug, &email)]
    {
        for email in [email, &email.to_uppercase(), &format!(" {email}")] {
            request(&new_address(), tenant, email).await.expect(202);
        }
        assert_throttled(request(&new_address(), tenant, email).await, detail);
    }
    let address = new_address();
    for (tenant, email) in [
        (owner.tenant(), "1@example.com"),
        (owner.tenant(), "2@example.com"),
        (owner.tenant(), "no address at all"),
        (owner.tenant(), "\u{0}"),
        ("No Slug At All", "3@example.com"),
    ] {
        request(&address, tenant, email).await.expect(202);
    }
    for address in [&address, &sibling(&address)] {
        assert_throttled(request(address, owner.tenant(), "4@example.com").await, detail);
    }
    request(&new_address(), owner.tenant(), "4@example.com").await.expect(202);
    let scrape = Scrape::of(&app.management()).await;
    assert_eq!(scrape.sum("requests_throttled_total", r#"limit="password_reset""#), 5.0);
}

async fn wrong_tokens_of_password_resets_are_throttled(backend: Backend) {
    let app = TestApp::start_with(backend, &LIMITS).await;
    let (home, attacker) = (new_address(), new_address());
    let (owner, email) = new_tenant(&app, &home).await;
    let confirm = async |address: &str, tenant: &str| {
        let body = json!({ "tenant": tenant, "token": "0".repeat(64), "new_password": PASSWORD });
        post(&app.anonymous(), address, "/v1/auth/password-reset/confirm", &body).await
    };
    for n in 0..9 {
        let tenant = [owner.tenant(), "no-such-tenant"][n % 2];
        confirm(&attacker, tenant).await.expect_problem(403, "wrong_reset_token");
    }
    assert_throttled(confirm(&attacker, owner.tenant()).await, "too many failed logins: retry later");
    confirm(&home, owner.tenant()).await.expect_problem(403, "wrong_reset_token");
    log_in(&app, &home, owner.tenant(), &email, PASSWORD).await.expect(200);
}

async fn a_sign_up_gets_the_plan_free(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = json!({ "email": "ada@example.com", "password": PASSWORD });
    for plan in [json!("free"), Value::Null] {
        let body = json!({ "slug": new_slug(), "name": "New", "plan": plan, "owner": owner });
        let signed_up = app.anonymous().post("/v1/tenants", body).await.expect(201);
        assert_eq!(signed_up["tenant"]["plan"], "free");
    }
    for plan in ["pro", "enterprise", "gold", "", "FREE"] {
        let body = json!({ "slug": new_slug(), "name": "New", "plan": plan, "owner": owner });
        let rejected = app.anonymous().post("/v1/tenants", body).await.expect_problem(422, "invalid_fields");
        let message = "must be free: an operator sets other plans";
        assert_eq!(rejected["errors"], json!([{ "field": "plan", "message": message }]), "{plan}");
    }
    let plans = app.database.query("SELECT DISTINCT plan FROM tenants").await;
    let plans: BTreeSet<String> = plans.iter().map(|row| row.try_get("", "plan").unwrap()).collect();
    assert_eq!(plans, ["free".to_owned()].into());
}

async fn an_operator_sets_a_plan(backend: Backend) {
    let quotas = [("GLASSHOUSE_RATE_LIMIT_FREE", "10/100"), ("GLASSHOUSE_RATE_LIMIT_PRO", "20/200")];
    let app = TestApp::start_with(backend, &quotas).await;
    let (owner, other) = (app.new_tenant().await, app.new_tenant().await);
    let url = app.database.service_url();
    let environment = settings([("DATABASE_URL", url.as_str())]);
    let set_plan = async |arguments: [&str; 2]| {
        Process::run(&[&["set-plan"], &arguments[..]].concat(), &environment).await
    };
    let ended = set_plan([owner.tenant(), "pro"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("tenant_plan_changed"), "{ended:?}");
    // Each process caches the plan for 30 seconds at most; no request has used these tenants yet.
    let limit = async |client: &Client| client.get("/v1/users/me").await.header("ratelimit-limit").to_owned();
    assert_eq!((limit(&owner).await, limit(&other).await), ("200".to_owned(), "100".to_owned()));

    for (arguments, code, message) in [
        (["no-such-tenant", "pro"], 1, "there is no tenant with the slug no-such-tenant"),
        ([other.tenant(), "gold"], 2, "must be free, pro or enterprise"),
        (["No Slug", "pro"], 2, "invalid value"),
    ] {
        let ended = set_plan(arguments).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains(message), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_the_limits_through_redis() {
    let app = TestApp::start_with(Backend::Servers, &LIMITS).await;
    let other = TestApp::start_on(app.database.clone(), &LIMITS).await;
    let (home, attacker) = (new_address(), new_address());
    let (owner, email) = new_tenant(&app, &home).await;
    assert_eq!(guess(&app, &attacker, owner.tenant(), &email).await, 3);
    assert_eq!(guess(&other, &attacker, owner.tenant(), &email).await, 0);
    for _ in 0..5 {
        guess(&other, &new_address(), owner.tenant(), &email).await;
    }
    log_in(&other, &home, owner.tenant(), &email, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_process_has_limits_of_its_own() {
    let settings = [&LIMITS[..], &[("REDIS_TIMEOUT_MS", "500")]].concat();
    let BehindProxies { app, postgres: _postgres, redis } = BehindProxies::start(&settings).await;
    let (home, attacker) = (new_address(), new_address());
    let (owner, email) = new_tenant(&app, &home).await;
    redis.refuse().await;
    assert_eq!(guess(&app, &attacker, owner.tenant(), &email).await, 3);
    let mut more = 0;
    for _ in 0..4 {
        more += guess(&app, &new_address(), owner.tenant(), &email).await;
    }
    assert_eq!(more, 4, "7 for the account in all");
    log_in(&app, &home, owner.tenant(), &email, PASSWORD).await.expect(200);
    redis.restore();
    eventually("the limits are shared again", async || {
        (guess(&app, &new_address(), owner.tenant(), &email).await == 3).then_some(())
    })
    .await;
}
