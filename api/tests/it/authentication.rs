//! Authentication: passwords, tokens, and how fast a change of a user takes effect.

use glasshouse_domain::id::{TenantId, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Value, json};

use crate::support::{Backend, Client, PASSWORD, Response, TestApp, eventually, on_both};

on_both!(
    login_does_not_reveal_what_was_wrong,
    email_addresses_are_case_insensitive,
    a_token_expires,
    forged_tokens_are_rejected,
    a_token_of_a_deleted_tenant_is_rejected,
    a_deactivated_user_is_rejected_immediately,
    a_new_role_takes_effect_immediately,
);

async fn login(app: &TestApp, tenant: &str, email: &str, password: &str) -> Response {
    let body = json!({ "tenant": tenant, "email": email, "password": password });
    app.anonymous().post("/v1/auth/login", body).await
}

async fn change(owner: &Client, user: &Client, change: Value) {
    let me = user.get("/v1/users/me").await;
    let path = format!("/v1/users/{}", me["id"].as_str().unwrap());
    owner.patch(&path, me.header("etag"), change).await.expect(200);
}

async fn login_does_not_reveal_what_was_wrong(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (tenant, email) = (owner.tenant(), format!("owner@{}.example", owner.tenant()));
    let member = app.add_user(&owner, "member").await;
    let inactive = member.get("/v1/users/me").await["email"].as_str().unwrap().to_owned();
    change(&owner, &member, json!({ "active": false })).await;

    login(&app, tenant, &email, PASSWORD).await.expect(200);
    let mut responses = Vec::new();
    for (tenant, email, password) in [
        (tenant, email.as_str(), "wrong horse battery staple"),
        (tenant, email.as_str(), ""),
        (tenant, "unknown@example.com", PASSWORD),
        ("no-such-tenant", &email, PASSWORD),
        ("No Slug At All", &email, PASSWORD),
        (tenant, "no address at all", PASSWORD),
        (tenant, &inactive, PASSWORD),
        (tenant, &inactive, "wrong horse battery staple"),
    ] {
        let response = login(&app, tenant, email, password).await;
        assert_eq!(response.header("www-authenticate"), "Bearer");
        let mut body = response.expect_problem(401, "wrong_credentials");
        body.as_object_mut().unwrap().remove("request_id");
        responses.push(body);
    }
    assert!(responses.windows(2).all(|pair| pair[0] == pair[1]), "{responses:#?}");
}

async fn email_addresses_are_case_insensitive(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let user = |email| json!({ "email": email, "password": PASSWORD, "role": "member" });
    let added = owner.post("/v1/users", user("Grace.Hopper@Example.com")).await.expect(201);
    assert_eq!(added["email"], "grace.hopper@example.com");
    owner.post("/v1/users", user("grace.hopper@EXAMPLE.com")).await.expect_problem(409, "email_taken");
    login(&app, owner.tenant(), " GRACE.HOPPER@example.COM ", PASSWORD).await.expect(200);
}

async fn a_token_expires(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_TOKEN_SECONDS", "1")]).await;
    let owner = app.new_tenant().await;
    let rejected = eventually("the token expires", async || {
        let response = owner.get("/v1/users/me").await;
        (response.status != 200).then_some(response)
    });
    let rejected = rejected.await;
    assert_eq!(rejected.header("www-authenticate"), "Bearer");
    let body = rejected.expect_problem(401, "token_expired");
    assert!(body["detail"].as_str().unwrap().contains("log in again"));
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The claims of a user, valid for an hour, with some of them changed.
fn claims(valid: &Value, changes: Value) -> Value {
    let mut claims = valid.clone();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn sign(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// The payload of a token that was signed with [`SECRET`].
fn payload_of(token: &str) -> Value {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    decode(token, &DecodingKey::from_secret(SECRET.as_bytes()), &validation).unwrap().claims
}

async fn forged_tokens_are_rejected(backend: Backend) {
    let app = TestApp::start_with(backend, &[("JWT_SECRET", SECRET)]).await;
    let (owner, stranger) = (app.new_tenant().await, app.new_tenant().await);
    let ours = owner.token();
    let id = async |client: &Client| client.get("/v1/users/me").await["id"].clone();
    let [user, theirs] = [id(&owner).await, id(&stranger).await];
    let valid = payload_of(ours);
    let good = |changes: Value| sign(Algorithm::HS256, SECRET, &claims(&valid, changes));
    let [header, payload, signature]: [&str; 3] = ours.split('.').collect::<Vec<_>>().try_into().unwrap();
    // {"alg":"none","typ":"JWT"} and {"alg":"None"}
    let unsigned = ["eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJOb25lIn0"];
    let other_payload = good(json!({ "sub": theirs }));
    let other_payload = other_payload.split('.').nth(1).unwrap();

    let me = app.anonymous().with_token(&good(json!({}))).get("/v1/users/me").await;
    assert_eq!(me.expect(200)["id"], user, "the test can sign tokens");

    for (what, value, code) in [
        ("another secret", sign(Algorithm::HS256, &SECRET.replace('0', "1"), &valid), "token_invalid"),
        ("another algorithm", sign(Algorithm::HS512, SECRET, &valid), "token_invalid"),
        ("no algorithm", format!("{}.{payload}.", unsigned[0]), "token_invalid"),
        ("no algorithm, spelt otherwise", format!("{}.{payload}.", unsigned[1]), "token_invalid"),
        ("no algorithm, old signature", format!("{}.{payload}.{signature}", unsigned[0]), "token_invalid"),
        ("a changed payload", format!("{header}.{other_payload}.{signature}"), "token_invalid"),
        ("no signature", format!("{header}.{payload}."), "token_invalid"),
        ("half a token", format!("{header}.{payload}"), "token_invalid"),
        ("another audience", good(json!({ "aud": "another-api" })), "token_invalid"),
        ("no audience", good(json!({ "aud": null })), "token_invalid"),
        ("another issuer", good(json!({ "iss": "another-issuer" })), "token_invalid"),
        ("no issuer", good(json!({ "iss": null })), "token_invalid"),
        ("no end", good(json!({ "exp": null })), "token_invalid"),
        ("an end in text", good(json!({ "exp": "never" })), "token_invalid"),
        ("long over", good(json!({ "exp": 1 })), "token_expired"),
        ("no user", good(json!({ "sub": null })), "token_invalid"),
        ("a user that is no id", good(json!({ "sub": "' OR 1=1" })), "token_invalid"),
        ("a user of another tenant", good(json!({ "sub": theirs })), "user_inactive"),
        ("an unknown tenant", good(json!({ "tenant": TenantId::new() })), "user_inactive"),
        ("an unknown user", good(json!({ "sub": UserId::new() })), "user_inactive"),
        ("garbage", "garbage".to_owned(), "token_invalid"),
        ("dots", "..".to_owned(), "token_invalid"),
        ("much garbage", "x".repeat(4000), "token_invalid"),
    ] {
        assert_rejected(&app, &format!("Bearer {value}"), code, what).await;
    }
    for value in ["", "Bearer", "Bearer ", "Basic b3duZXI6cGFzc3dvcmQ=", &format!("Token {ours}"), ours] {
        assert_rejected(&app, value, "token_invalid", value).await;
    }
    let lower_case = app.anonymous().request(reqwest::Method::GET, "/v1/users/me");
    Response::of(lower_case.header("Authorization", format!("bearer {ours}"))).await.expect(200);
}

async fn assert_rejected(app: &TestApp, authorization: &str, code: &str, what: &str) {
    let request = app.anonymous().request(reqwest::Method::GET, "/v1/users/me");
    let response = Response::of(request.header("Authorization", authorization)).await;
    assert_eq!(response.status, 401, "{what}: {}", response.body);
    assert_eq!(response.header("www-authenticate"), "Bearer", "{what}");
    let body = response.expect_problem(401, code).to_string();
    // An error that repeated the token would leak it into logs and screenshots.
    let token = authorization.split_once(' ').map_or("", |(_, token)| token);
    assert!(token.len() < 8 || !body.contains(token), "{what}: {body}");
}

async fn a_token_of_a_deleted_tenant_is_rejected(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    for sql in ["DELETE FROM users", "DELETE FROM tenants"] {
        app.database.query(sql).await;
    }
    owner.get("/v1/users/me").await.expect_problem(401, "user_inactive");
}

async fn a_deactivated_user_is_rejected_immediately(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let user = app.add_user(&owner, "admin").await;
    user.get("/v1/products").await.expect(200);
    change(&owner, &user, json!({ "active": false })).await;
    user.get("/v1/products").await.expect_problem(401, "user_inactive");

    let user = app.add_user(&owner, "admin").await;
    let me = user.get("/v1/users/me").await;
    let path = format!("/v1/users/{}", me["id"].as_str().unwrap());
    owner.delete(&path, me.header("etag")).await.expect(204);
    user.get("/v1/products").await.expect_problem(401, "user_inactive");
    // The token is valid again with the user: the user was deactivated, the token was not revoked.
    let etag = owner.get(&path).await.header("etag").to_owned();
    owner.patch(&path, &etag, json!({ "active": true })).await.expect(200);
    user.get("/v1/products").await.expect(200);
}

async fn a_new_role_takes_effect_immediately(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let user = app.add_user(&owner, "member").await;
    user.get("/v1/users").await.expect_problem(403, "admin_only");
    change(&owner, &user, json!({ "role": "admin" })).await;
    user.get("/v1/users").await.expect(200);
    change(&owner, &user, json!({ "role": "member" })).await;
    user.get("/v1/users").await.expect_problem(403, "admin_only");
}
