//! Password resets: a user who has forgotten their password sets a new one with a token that was sent to their address.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    Backend, Client, PASSWORD, Response, TestApp, TestDatabase, concurrently, eventually, named, on_both,
    statuses,
};

on_both!(
    a_reset_sets_the_password_once_and_ends_all_sessions,
    a_request_does_not_show_whose_the_address_is,
    a_token_ends_with_its_time_with_the_password_and_with_the_user,
    of_concurrent_resets_one_succeeds,
    a_token_is_valid_in_its_own_tenant_only,
    a_token_is_in_the_mail_folder_alone,
    a_message_that_cannot_be_written_is_sent_later,
    without_a_mail_folder_the_message_is_a_dead_letter,
    expired_tokens_are_deleted,
);

const NEW: &str = "another correct horse";

/// An application that writes the messages to its users to a folder.
struct WithMail {
    app: TestApp,
    parent: TempDir,
}

impl WithMail {
    async fn start(backend: Backend) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let app = Self::app(TestDatabase::create(backend).await, &parent).await;
        Self { app, parent }
    }

    async fn app(database: TestDatabase, parent: &TempDir) -> TestApp {
        let folder = parent.path().join("mail");
        TestApp::start_on(database, &[("GLASSHOUSE_MAIL_DIR", folder.to_str().unwrap())]).await
    }

    fn folder(&self) -> PathBuf {
        self.parent.path().join("mail")
    }

    async fn request(&self, tenant: &str, email: &str) -> Response {
        request(&self.app, tenant, email).await
    }

    async fn confirm(&self, tenant: &str, token: &str, password: &str) -> Response {
        let body = json!({ "tenant": tenant, "token": token, "new_password": password });
        self.app.anonymous().post("/v1/auth/password-reset/confirm", body).await
    }

    /// The messages so far.
    fn messages(&self) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(self.folder()) else { return Vec::new() };
        let files = folder.map(|file| file.unwrap().path());
        let messages = files.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
        messages.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    /// Requests a reset for an address of a user, and waits for the token.
    async fn token(&self, tenant: &str, email: &str) -> String {
        let before = self.messages();
        self.request(tenant, email).await.expect(202);
        let message = eventually("the token is sent", async || {
            self.messages().into_iter().find(|message| !before.contains(message))
        })
        .await;
        assert!(message.starts_with(&format!("To: {email}\r\n")) && message.contains(tenant), "{message}");
        message.trim_end().rsplit("\r\n").next().unwrap().to_owned()
    }

    /// Waits until each requested reset is delivered, or found to have no user.
    async fn settled(&self) {
        let open = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NULL";
        eventually("the outbox is empty", async || (self.app.database.number(open).await == 0).then_some(()))
            .await;
    }
}

async fn request(app: &TestApp, tenant: &str, email: &str) -> Response {
    let body = json!({ "tenant": tenant, "email": email });
    app.anonymous().post("/v1/auth/password-reset/request", body).await
}

fn email_of(owner: &Client) -> String {
    format!("owner@{}.example", owner.tenant())
}

async fn login(app: &TestApp, tenant: &str, email: &str, password: &str) -> Response {
    let body = json!({ "tenant": tenant, "email": email, "password": password });
    app.anonymous().post("/v1/auth/login", body).await
}

async fn a_reset_sets_the_password_once_and_ends_all_sessions(backend: Backend) {
    let with = WithMail::start(backend).await;
    let owner = with.app.new_tenant().await;
    let (tenant, email) = (owner.tenant(), email_of(&owner));
    let sessions = [owner.clone(), with.app.log_in(tenant, &email).await];
    let token = with.token(tenant, &email).await;
    for session in &sessions {
        session.get("/v1/users/me").await.expect(200);
    }

    let rejected = with.confirm("No Slug", &token, "short").await.expect_problem(422, "invalid_fields");
    assert_eq!(named(&rejected), ["tenant", "new_password"]);
    let done = with.confirm(tenant, &token, NEW).await;
    assert_eq!((done.status.as_u16(), &done.body), (204, &json!("")));

    for session in &sessions {
        session.get("/v1/users/me").await.expect_problem(401, "session_ended");
    }
    login(&with.app, tenant, &email, PASSWORD).await.expect_problem(401, "wrong_credentials");
    with.app.anonymous().log_in(tenant, &email, NEW).await.get("/v1/users/me").await.expect(200);
    with.confirm(tenant, &token, PASSWORD).await.expect_problem(403, "wrong_reset_token");
    login(&with.app, tenant, &email, NEW).await.expect(200);
    let altered = token.replace(&token[..1], if token.starts_with('0') { "1" } else { "0" });
    for wrong in ["", " ", "0", &altered, &token.to_uppercase(), &format!("{token}0"), &"0".repeat(9999)] {
        with.confirm(tenant, wrong, PASSWORD).await.expect_problem(403, "wrong_reset_token");
    }
}

/// What is known of an address is looked up by the worker alone.
async fn a_request_does_not_show_whose_the_address_is(backend: Backend) {
    let with = WithMail::start(backend).await;
    let owner = with.app.new_tenant().await;
    let (tenant, email) = (owner.tenant(), email_of(&owner));
    let former = with.app.add_user(&owner, "member").await.get("/v1/users/me").await;
    deactivate(&owner, former["id"].as_str().unwrap()).await;
    let requested = async || with.app.messages("password_reset_requested").await;
    let mut responses = Vec::new();
    let addresses =
        [&email, former["email"].as_str().unwrap(), "unknown@example.com", "no address at all", ""];
    for (n, address) in addresses.into_iter().enumerate() {
        responses.push(with.request(tenant, address).await);
        assert_eq!(requested().await, i64::try_from(n).unwrap() + 1, "{address}");
    }
    for (tenant, email) in [
        ("no-such-tenant", &*email),
        ("No Slug", &email),
        (tenant, "a\u{0}@b.example"),
        (tenant, &"x".repeat(9999)),
    ] {
        responses.push(with.request(tenant, email).await);
    }
    let names =
        |response: &Response| response.headers.keys().map(ToString::to_string).collect::<BTreeSet<_>>();
    for response in &responses {
        assert_eq!((response.status.as_u16(), &response.body), (202, &json!("")));
        assert_eq!(names(response), names(&responses[0]));
    }
    with.settled().await;
    assert_eq!(with.messages().len(), 1, "{:?}", with.messages());
}

async fn deactivate(owner: &Client, user: &str) {
    let path = format!("/v1/users/{user}");
    let etag = owner.get(&path).await.header("etag").to_owned();
    owner.delete(&path, &etag).await.expect(204);
}

async fn a_token_ends_with_its_time_with_the_password_and_with_the_user(backend: Backend) {
    let with = WithMail::start(backend).await;
    let owner = with.app.new_tenant().await;
    let tenant = owner.tenant();
    let member = with.app.add_user(&owner, "member").await.get("/v1/users/me").await;
    let email = member["email"].as_str().unwrap();
    let is_wrong = async |token: &str| {
        with.confirm(tenant, token, "a password of an attacker")
            .await
            .expect_problem(403, "wrong_reset_token");
    };

    let expired = with.token(tenant, email).await;
    with.app.database.query("UPDATE password_resets SET expires_at = '2026-01-01T00:00:00Z'").await;
    is_wrong(&expired).await;

    let changed = with.token(tenant, email).await;
    let client = with.app.log_in(tenant, email).await;
    let body = json!({ "current_password": PASSWORD, "new_password": NEW });
    client.send(Method::PUT, "/v1/users/me/password", Some(body)).await.expect(204);
    is_wrong(&changed).await;

    // Both can be used, so that a stranger's request does not take the first one from the user.
    let [first, second] = [with.token(tenant, email).await, with.token(tenant, email).await];
    with.confirm(tenant, &first, PASSWORD).await.expect(204);
    is_wrong(&second).await;

    let orphaned = with.token(tenant, email).await;
    deactivate(&owner, member["id"].as_str().unwrap()).await;
    is_wrong(&orphaned).await;
    let sent = with.messages().len();
    with.request(tenant, email).await.expect(202);
    with.settled().await;
    assert_eq!(with.messages().len(), sent, "a deactivated user gets no token");
}

async fn of_concurrent_resets_one_succeeds(backend: Backend) {
    let with = WithMail::start(backend).await;
    let owner = with.app.new_tenant().await;
    let (tenant, email) = (owner.tenant(), email_of(&owner));
    let tokens = [with.token(tenant, &email).await, with.token(tenant, &email).await];
    let new = |n: usize| format!("{NEW} {n}");
    let confirm = |n: usize| {
        let (with, token, new) = (&with, &tokens[n % 2], new(n));
        async move { with.confirm(tenant, token, &new).await }
    };
    let responses = concurrently((0..8).map(confirm)).await;
    assert_eq!(statuses(&responses), [(204, 1), (403, 7)].into());
    let succeeded = responses.iter().position(|response| response.status == 204).unwrap();
    login(&with.app, tenant, &email, &new(succeeded)).await.expect(200);
}

async fn a_token_is_valid_in_its_own_tenant_only(backend: Backend) {
    let with = WithMail::start(backend).await;
    let (one, other) = (with.app.new_tenant().await, with.app.new_tenant().await);
    let user = json!({ "email": "grace@example.com", "password": PASSWORD, "role": "member" });
    for owner in [&one, &other] {
        owner.post("/v1/users", user.clone()).await.expect(201);
    }
    let [here, there] = [&one, &other].map(Client::tenant);
    let namesake = with.app.log_in(there, "grace@example.com").await;
    let token = with.token(here, "grace@example.com").await;
    for tenant in [there, "no-such-tenant"] {
        with.confirm(tenant, &token, NEW).await.expect_problem(403, "wrong_reset_token");
    }
    with.confirm(here, &token, NEW).await.expect(204);
    namesake.get("/v1/users/me").await.expect(200);
    login(&with.app, there, "grace@example.com", NEW).await.expect_problem(401, "wrong_credentials");
}

async fn a_token_is_in_the_mail_folder_alone(backend: Backend) {
    let with = WithMail::start(backend).await;
    let owner = with.app.new_tenant().await;
    let token = with.token(owner.tenant(), &email_of(&owner)).await;
    assert!(token.len() == 64 && token.chars().all(|c| c.is_ascii_hexdigit()), "{token}");
    with.settled().await;

    let rows = with.app.database.query("SELECT token_hash FROM password_resets").await;
    let hash: String = rows[0].try_get("", "token_hash").unwrap();
    assert!(rows.len() == 1 && hash.len() == 64 && hash != token);
    let events = with.app.database.query("SELECT CAST(event AS text) AS event FROM outbox_messages").await;
    for row in &events {
        let event: String = row.try_get("", "event").unwrap();
        assert!(!event.contains(&token) && !event.contains(&hash), "{event}");
    }
    assert_eq!(events.len(), 1);

    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(with.folder()), 0o700);
    let files: Vec<_> = std::fs::read_dir(with.folder()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.into_iter().map(mode).collect::<Vec<_>>(), [0o600]);
}

/// A repeated delivery has another token, because only the user has the first one.
async fn a_message_that_cannot_be_written_is_sent_later(backend: Backend) {
    let with = WithMail::start(backend).await;
    let owner = with.app.new_tenant().await;
    let (tenant, email) = (owner.tenant(), email_of(&owner));
    std::fs::write(with.folder(), "not a folder").unwrap();
    with.request(tenant, &email).await.expect(202);
    let failed = "SELECT count(*) AS n FROM password_resets";
    eventually("a delivery fails", async || (with.app.database.number(failed).await > 0).then_some(())).await;
    std::fs::remove_file(with.folder()).unwrap();
    with.settled().await;

    let messages = with.messages();
    let token = messages[0].trim_end().rsplit("\r\n").next().unwrap();
    with.confirm(tenant, token, NEW).await.expect(204);
    assert_eq!(messages.len(), 1);
}

async fn without_a_mail_folder_the_message_is_a_dead_letter(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    for email in [&email_of(&owner), "unknown@example.com"] {
        request(&app, owner.tenant(), email).await.expect(202);
    }
    let dead = "SELECT dead_letter_reason AS reason FROM outbox_messages WHERE dead_lettered_at IS NOT NULL";
    let row = eventually("the message is a dead letter", async || app.database.query(dead).await.pop()).await;
    let reason: String = row.try_get("", "reason").unwrap();
    assert_eq!(reason, "the notification was rejected: GLASSHOUSE_MAIL_DIR is not set");
}

async fn expired_tokens_are_deleted(backend: Backend) {
    let with = WithMail::start(backend).await;
    let owner = with.app.new_tenant().await;
    let (tenant, email) = (owner.tenant().to_owned(), email_of(&owner));
    with.token(&tenant, &email).await;
    with.app.database.query("UPDATE password_resets SET expires_at = '2026-01-01T00:00:00Z'").await;
    let current = with.token(&tenant, &email).await;
    with.settled().await;
    let database = with.app.stop().await;

    // The first round of housekeeping begins with the start.
    let app = WithMail::app(database, &with.parent).await;
    let with = WithMail { app, parent: with.parent };
    let number = "SELECT count(*) AS n FROM password_resets";
    eventually("it is deleted", async || (with.app.database.number(number).await == 1).then_some(())).await;
    with.confirm(&tenant, &current, NEW).await.expect(204);
}
