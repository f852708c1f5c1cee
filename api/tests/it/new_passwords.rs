//! New passwords: a user changes their own, and all of their sessions end.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Backend, Client, PASSWORD, Response, TestApp, concurrently, on_both, statuses};

on_both!(
    a_change_ends_all_sessions,
    a_change_requires_the_current_password,
    guesses_of_the_current_password_are_throttled,
    of_concurrent_changes_one_succeeds,
    the_address_of_a_deleted_user_is_free,
);

const NEW: &str = "another correct horse";

fn email_of(owner: &Client) -> String {
    format!("owner@{}.example", owner.tenant())
}

async fn login(app: &TestApp, tenant: &str, email: &str, password: &str) -> Response {
    let body = json!({ "tenant": tenant, "email": email, "password": password });
    app.anonymous().post("/v1/auth/login", body).await
}

async fn change(client: &Client, current: &str, new: &str) -> Response {
    let body = json!({ "current_password": current, "new_password": new });
    client.send(Method::PUT, "/v1/users/me/password", Some(body)).await
}

async fn a_change_ends_all_sessions(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let email = email_of(&owner);
    let sessions = [owner.clone(), app.log_in(owner.tenant(), &email).await];
    let other = app.add_user(&owner, "member").await;
    for session in &sessions {
        session.get("/v1/products").await.expect(200);
    }

    change(&owner, PASSWORD, NEW).await.expect(204);

    for session in &sessions {
        let rejected = session.get("/v1/products").await;
        assert_eq!(rejected.header("www-authenticate"), "Bearer");
        rejected.expect_problem(401, "session_ended");
        change(session, NEW, PASSWORD).await.expect_problem(401, "session_ended");
    }
    login(&app, owner.tenant(), &email, PASSWORD).await.expect_problem(401, "wrong_credentials");
    let again = app.anonymous().log_in(owner.tenant(), &email, NEW).await;
    again.get("/v1/users/me").await.expect(200);
    other.get("/v1/products").await.expect(200);
    change(&again, NEW, PASSWORD).await.expect(204);
    app.log_in(owner.tenant(), &email).await.get("/v1/products").await.expect(200);
}

async fn a_change_requires_the_current_password(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    for wrong in ["", "wrong horse battery staple", NEW] {
        change(&owner, wrong, NEW).await.expect_problem(403, "wrong_password");
    }
    let rejected = change(&owner, PASSWORD, "short").await.expect_problem(422, "invalid_fields");
    assert_eq!(rejected["errors"][0]["field"], "new_password");
    owner.get("/v1/users/me").await.expect(200);
    login(&app, owner.tenant(), &email_of(&owner), PASSWORD).await.expect(200);
}

/// Whoever has a token must not find out the password.
async fn guesses_of_the_current_password_are_throttled(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_LOGIN_LIMIT", "3/3600")]).await;
    let owner = app.new_tenant().await;
    let other = app.add_user(&owner, "member").await;
    for _ in 0..3 {
        change(&owner, "wrong horse battery", NEW).await.expect_problem(403, "wrong_password");
    }
    for guess in ["wrong horse battery", PASSWORD] {
        let throttled = change(&owner, guess, NEW).await;
        assert!(!throttled.header("retry-after").is_empty());
        assert_eq!(throttled.status.as_u16(), 429);
    }
    change(&other, PASSWORD, NEW).await.expect(204);
    app.log_in(owner.tenant(), &email_of(&owner)).await;
}

async fn of_concurrent_changes_one_succeeds(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let new = |n: usize| format!("{NEW} {n}");
    let attempt = async |n: usize| change(&owner, PASSWORD, &new(n)).await;
    let responses = concurrently((0..5).map(attempt)).await;
    // The others are too late: their password is wrong, or their session has ended.
    let succeeded: Vec<_> = (0..5).filter(|n| responses[*n].status == 204).collect();
    assert_eq!(succeeded.len(), 1, "{:?}", statuses(&responses));
    login(&app, owner.tenant(), &email_of(&owner), &new(succeeded[0])).await.expect(200);
}

async fn the_address_of_a_deleted_user_is_free(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let user =
        |password: &str| json!({ "email": "grace@example.com", "password": password, "role": "member" });
    let path = |user: &Value| format!("/v1/users/{}", user["id"].as_str().unwrap());
    let first = owner.post("/v1/users", user(PASSWORD)).await.expect(201);
    owner.post("/v1/users", user(NEW)).await.expect_problem(409, "email_taken");
    owner.delete(&path(&first), "\"1\"").await.expect(204);

    let second = owner.post("/v1/users", user(NEW)).await.expect(201);
    assert_ne!(first["id"], second["id"]);
    login(&app, owner.tenant(), "grace@example.com", PASSWORD).await.expect_problem(401, "wrong_credentials");
    let client = app.anonymous().log_in(owner.tenant(), "grace@example.com", NEW).await;
    assert_eq!(client.get("/v1/users/me").await.expect(200)["id"], second["id"]);

    // The first user cannot come back while the address is taken.
    let reactivate = json!({ "active": true });
    owner.patch(&path(&first), "\"2\"", reactivate.clone()).await.expect_problem(409, "email_taken");
    owner.delete(&path(&second), "\"1\"").await.expect(204);
    owner.patch(&path(&first), "\"2\"", reactivate).await.expect(200);
    login(&app, owner.tenant(), "grace@example.com", PASSWORD).await.expect(200);
    client.get("/v1/users/me").await.expect_problem(401, "user_inactive");
}
