//! Password hashing: its queue, its memory, and what happens after a change of its cost.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use glasshouse_domain::login::{HashingFailed, LoginError, PasswordHasher, Verification, log_in};
use glasshouse_domain::values::{Email, Password, PasswordHash, Slug};
use glasshouse_infra::db::{Database, DatabaseSettings, Directory};
use glasshouse_infra::passwords::{Argon2Hasher, HashingQueue, HashingSettings};
use glasshouse_telemetry::service::metrics::{Metrics, MetricsSettings};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{
    Backend, Client, PASSWORD, Process, Response, Scrape, TEST_SETTINGS, TestApp, TestDatabase, concurrently,
    eventually, key, new_slug, on_both, settings, statuses,
};

on_both!(
    a_full_queue_sheds_every_operation_that_hashes,
    requests_that_wait_for_a_hash_take_no_places_of_others,
    a_client_that_ignores_retry_after_waits,
    a_login_after_a_change_of_the_cost_hashes_the_password_again,
    an_unknown_user_costs_what_a_user_costs,
);

/// So expensive that concurrent requests meet.
const EXPENSIVE: [(&str, &str); 2] =
    [("GLASSHOUSE_ARGON2_MEMORY_KIB", "131072"), ("GLASSHOUSE_ARGON2_PASSES", "3")];

fn login_body(tenant: &str, email: &str, password: &str) -> Value {
    json!({ "tenant": tenant, "email": email, "password": password })
}

async fn a_full_queue_sheds_every_operation_that_hashes(backend: Backend) {
    const REQUESTS: usize = 12;
    let queue = [("GLASSHOUSE_PASSWORD_HASHES", "1"), ("GLASSHOUSE_PASSWORD_HASH_QUEUE", "1")];
    let app = TestApp::start_with(backend, &[&EXPENSIVE[..], &queue].concat()).await;
    let owner = app.new_tenant().await;
    let (slug, anonymous) = (owner.tenant(), app.anonymous());
    let email = format!("owner@{slug}.example");
    let sign_up = || {
        let owner = json!({ "email": "ada@example.com", "password": PASSWORD });
        json!({ "slug": new_slug(), "name": "New", "owner": owner })
    };
    let user =
        || json!({ "email": format!("{}@example.com", key()), "password": PASSWORD, "role": "member" });
    for (operation, client, success, body) in [
        ("/v1/auth/login", &anonymous, 200, &(|| login_body(slug, &email, PASSWORD)) as &dyn Fn() -> Value),
        ("/v1/auth/login", &anonymous, 401, &|| login_body(slug, "unknown@example.com", PASSWORD)),
        ("/v1/tenants", &anonymous, 201, &sign_up),
        ("/v1/users", &owner, 201, &user),
    ] {
        let before = Scrape::of(&app.management()).await;
        let requests = concurrently((0..REQUESTS).map(|_| client.post(operation, body())));
        let others = concurrently((0..REQUESTS).map(|_| owner.get("/v1/users/me")));
        let (responses, others) = tokio::join!(requests, others);
        let after = Scrape::of(&app.management()).await;

        let counts = statuses(&responses);
        assert_eq!(counts.keys().copied().collect::<BTreeSet<_>>(), [success, 503].into(), "{operation}");
        assert!(counts[&success] >= 2, "one hashes and one waits: {operation} {counts:?}");
        let shed = |scrape: &Scrape| scrape.sum("load_shed_total", r#"reason="password_hashing""#);
        assert_eq!(shed(&after) - shed(&before), counts[&503] as f64, "{operation}");
        for response in responses.into_iter().filter(|response| response.status == 503) {
            assert_eq!(response.header("retry-after"), "1");
            response.expect_problem(503, "overloaded");
        }
        assert_eq!(statuses(&others), [(200, REQUESTS)].into(), "other requests do not wait");
    }
    anonymous.post("/v1/auth/login", login_body(slug, &email, PASSWORD)).await.expect(200);
}

/// Spawns a login, and waits until it is one of `in_flight` requests.
async fn spawn_login(app: &TestApp, owner: &Client, in_flight: usize) -> JoinHandle<Response> {
    let body = login_body(owner.tenant(), &format!("owner@{}.example", owner.tenant()), PASSWORD);
    let client = app.anonymous();
    let login = tokio::spawn(async move { client.post("/v1/auth/login", body).await });
    eventually("the login is in flight", async || {
        (in_flight_requests(app).await >= in_flight as f64).then_some(())
    })
    .await;
    login
}

async fn in_flight_requests(app: &TestApp) -> f64 {
    Scrape::of(&app.management()).await.sum("http_requests_in_flight", "")
}

async fn requests_that_wait_for_a_hash_take_no_places_of_others(backend: Backend) {
    const PLACES: usize = 2;
    let limits = [("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", "2"), ("GLASSHOUSE_PASSWORD_HASHES", "1")];
    let app = TestApp::start_with(backend, &[&EXPENSIVE[..], &limits].concat()).await;
    let owner = app.new_tenant().await;
    let mut logins = Vec::new();
    for in_flight in 1..=PLACES + 3 {
        logins.push(spawn_login(&app, &owner, in_flight).await);
    }
    owner.get("/v1/users/me").await.expect(200);
    assert!(in_flight_requests(&app).await > PLACES as f64, "they are still in flight");
    for login in logins {
        login.await.unwrap().expect(200);
    }
}

async fn a_client_that_ignores_retry_after_waits(backend: Backend) {
    let queue = [("GLASSHOUSE_PASSWORD_HASHES", "1"), ("GLASSHOUSE_PASSWORD_HASH_QUEUE", "0")];
    let app = TestApp::start_with(backend, &[&EXPENSIVE[..], &queue].concat()).await;
    let owner = app.new_tenant().await;
    let hashing = spawn_login(&app, &owner, 1).await;
    let client = app.anonymous().with_own_connections();
    let begun = Instant::now();
    for _ in 0..2 {
        let login = login_body(owner.tenant(), "ada@example.com", PASSWORD);
        client.post("/v1/auth/login", login).await.expect_problem(503, "overloaded");
    }
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    hashing.abort();
}

/// In a process of its own, because all tests of this program share their memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_hashes_is_returned_to_the_system() {
    const LOGINS: usize = 120;
    let directory = tempfile::tempdir().unwrap();
    let mut environment = settings(TEST_SETTINGS);
    environment.retain(|name, _| !name.starts_with("GLASSHOUSE_ARGON2"));
    environment.extend(settings([
        ("GLASSHOUSE_DATA_DIR", directory.path().to_str().unwrap()),
        ("GLASSHOUSE_PASSWORD_HASHES", "4"),
    ]));
    let mut demo = Process::start(&["demo"], &environment);
    let (client, management) = (demo.client("http_addr").await, demo.client("management_addr").await);
    let body = || login_body("acme", "owner@acme.example", "demo-password");
    let resident =
        async || Scrape::of(&management).await.sum("process_resident_memory_bytes", "") / f64::from(1 << 20);
    client.post("/v1/auth/login", body()).await.expect(200);
    let before = resident().await;
    for _ in 0..LOGINS / 8 {
        for response in concurrently((0..8).map(|_| client.post("/v1/auth/login", body()))).await {
            response.expect(200);
        }
    }
    let after = resident().await;
    assert!(after - before < 30.0, "{before} MiB before {LOGINS} logins, {after} MiB after");
}

const CHEAP: [(&str, &str); 2] = [("GLASSHOUSE_ARGON2_MEMORY_KIB", "64"), ("GLASSHOUSE_ARGON2_PASSES", "1")];
const DEAR: [(&str, &str); 2] = [("GLASSHOUSE_ARGON2_MEMORY_KIB", "128"), ("GLASSHOUSE_ARGON2_PASSES", "2")];

/// The cost in a hash such as `$argon2id$v=19$m=64,t=1,p=1$SALT$HASH`.
fn cost_of(hash: &str) -> String {
    hash.split('$').nth(3).unwrap().to_owned()
}

/// The stored hash of a user.
async fn hash_of(app: &TestApp, email: &str) -> String {
    let rows = app.database.query(&format!("SELECT password_hash FROM users WHERE email = '{email}'")).await;
    rows[0].try_get("", "password_hash").unwrap()
}

async fn log_user_in(app: &TestApp, owner: &Client, email: &str, password: &str) -> Response {
    app.anonymous().post("/v1/auth/login", login_body(owner.tenant(), email, password)).await
}

async fn a_login_after_a_change_of_the_cost_hashes_the_password_again(backend: Backend) {
    let secret = ("JWT_SECRET", "a secret that both processes have, for tokens");
    let app = TestApp::start_with(backend, &[&CHEAP[..], &[secret]].concat()).await;
    let owner = app.new_tenant().await;
    let mut emails = Vec::new();
    for _ in 0..3 {
        emails.push(app.add_user(&owner, "member").await.get("/v1/users/me").await["email"].clone());
    }
    let [ada, grace, inactive] = [0, 1, 2].map(|n| emails[n].as_str().unwrap());
    let users = owner.get("/v1/users").await;
    let left = users["items"].as_array().unwrap().iter().find(|user| user["email"] == inactive).unwrap();
    owner.delete(&format!("/v1/users/{}", left["id"].as_str().unwrap()), "\"1\"").await.expect(204);

    let old = hash_of(&app, ada).await;
    for (settings, cost) in [(DEAR, "m=128,t=2,p=1"), (CHEAP, "m=64,t=1,p=1")] {
        // The database outlives the application.
        let app = TestApp::start_on(app.database.clone(), &[&settings[..], &[secret]].concat()).await;
        let before = hash_of(&app, ada).await;
        log_user_in(&app, &owner, ada, "another password").await.expect(401);
        log_user_in(&app, &owner, inactive, PASSWORD).await.expect(401);
        assert_eq!(hash_of(&app, ada).await, before, "only a login changes the hash");
        assert_eq!(cost_of(&hash_of(&app, inactive).await), "m=64,t=1,p=1");

        log_user_in(&app, &owner, ada, PASSWORD).await.expect(200);
        let rehashed = hash_of(&app, ada).await;
        assert_eq!(cost_of(&rehashed), cost);
        for response in concurrently((0..8).map(|_| log_user_in(&app, &owner, grace, PASSWORD))).await {
            response.expect(200);
        }
        assert_eq!(cost_of(&hash_of(&app, grace).await), cost);
        for email in [ada, grace] {
            log_user_in(&app, &owner, email, PASSWORD).await.expect(200);
            log_user_in(&app, &owner, email, "another password").await.expect(401);
        }
        assert_eq!(hash_of(&app, ada).await, rehashed, "a hash of the current cost stays");
        assert_eq!(
            owner.get("/v1/users").await["items"],
            users_after(&app, &owner).await,
            "users do not change"
        );
    }
    assert_ne!(hash_of(&app, ada).await, old);
}

/// The users as another application shows them.
async fn users_after(app: &TestApp, owner: &Client) -> Value {
    app.anonymous().with_token(owner.token()).get("/v1/users").await["items"].clone()
}

/// The real hasher, which also records the cost of each verification. Durations are not measured: on a busy machine they
/// prove nothing.
struct Recorder {
    hasher: Argon2Hasher,
    costs: Mutex<Vec<Option<String>>>,
}

impl Recorder {
    fn record(&self, hash: Option<&PasswordHash>) {
        self.costs.lock().unwrap().push(hash.map(|hash| cost_of(hash.expose())));
    }
}

impl PasswordHasher for Recorder {
    async fn hash(&self, password: Password) -> Result<PasswordHash, HashingFailed> {
        self.hasher.hash(password).await
    }

    async fn verify(
        &self,
        password: SecretString,
        hash: PasswordHash,
    ) -> Result<Verification, HashingFailed> {
        self.record(Some(&hash));
        self.hasher.verify(password, hash).await
    }

    async fn verify_decoy(
        &self,
        password: SecretString,
        like: Option<PasswordHash>,
    ) -> Result<(), HashingFailed> {
        self.record(like.as_ref());
        self.hasher.verify_decoy(password, like).await
    }
}

fn recorder() -> Recorder {
    let metrics = Metrics::new(MetricsSettings::default()).unwrap().admission;
    let settings = HashingSettings { memory_kib: 64, passes: 1, max_concurrent: 1, max_waiting: 0 };
    let hasher = HashingQueue::new(settings, metrics).unwrap().enter().unwrap();
    Recorder { hasher, costs: Mutex::default() }
}

/// The cost of a login with a wrong password; `None` is the current one.
async fn cost_of_failure(directory: &Directory, tenant: &str, email: &str) -> Option<String> {
    let (tenant, email, recorder) = (Slug::parse(tenant).unwrap(), Email::parse(email).unwrap(), recorder());
    let rejected = log_in(directory, &recorder, &tenant, &email, "another password".into()).await;
    assert!(matches!(rejected, Err(LoginError::WrongCredentials)));
    let costs = recorder.costs.into_inner().unwrap();
    assert_eq!(costs.len(), 1, "one verification, whether there is a user or not: {costs:?}");
    costs[0].clone()
}

async fn connect(database: &TestDatabase) -> Database {
    let settings = DatabaseSettings {
        address: database.service_url().parse().unwrap(),
        pool_size: 1,
        acquire_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(10),
        slow_query: Duration::from_secs(10),
        reconcile_after: Duration::ZERO,
    };
    Database::connect(&settings, &Metrics::new(MetricsSettings::default()).unwrap()).await.unwrap()
}

async fn an_unknown_user_costs_what_a_user_costs(backend: Backend) {
    let app = TestApp::start_with(backend, &CHEAP).await;
    let (old, mixed) = (app.new_tenant().await, app.new_tenant().await);
    let app = TestApp::start_on(app.stop().await, &DEAR).await;
    let new = app.new_tenant().await;
    // Half of the users of `mixed` have the old cost: their names begin with a letter before `n`.
    let letters: Vec<char> = ('a'..='z').collect();
    let row = hash_of(&app, &format!("owner@{}.example", mixed.tenant())).await;
    let mixed_owner = app.log_in(mixed.tenant(), &format!("owner@{}.example", mixed.tenant())).await;
    for letter in &letters {
        let body = json!({ "email": format!("{letter}@m.example"), "password": PASSWORD, "role": "member" });
        mixed_owner.post("/v1/users", body).await.expect(201);
    }
    let old_half =
        format!("UPDATE users SET password_hash = '{row}' WHERE email < 'n' AND email LIKE '_@m.example'");
    app.database.query(&old_half).await;

    let database = connect(&app.database).await;
    let directory = database.directory();
    let (cheap, dear) = ("m=64,t=1,p=1".to_owned(), "m=128,t=2,p=1".to_owned());
    for (tenant, cost) in [(&old, &cheap), (&new, &dear)] {
        for name in ["owner", "a", "zz", "OWNER", "owner1", "0", "~", "é"] {
            let email = format!("{name}@{}.example", tenant.tenant());
            assert_eq!(
                cost_of_failure(&directory, tenant.tenant(), &email).await.as_ref(),
                Some(cost),
                "{email}"
            );
        }
    }
    let mut unknown = Vec::new();
    for letter in &letters {
        let known = cost_of_failure(&directory, mixed.tenant(), &format!("{letter}@m.example")).await;
        assert_eq!(known.as_ref(), Some(if *letter < 'n' { &cheap } else { &dear }), "{letter}");
        let email = format!("{letter}{letter}@m.example");
        let cost = cost_of_failure(&directory, mixed.tenant(), &email).await;
        assert_eq!(cost_of_failure(&directory, mixed.tenant(), &email).await, cost, "always the same");
        unknown.push(cost.unwrap());
    }
    let as_old = unknown.iter().filter(|cost| **cost == cheap).count();
    assert!((8..=18).contains(&as_old), "{as_old} of 26 unknown users look like old ones: {unknown:?}");
    assert_eq!(cost_of_failure(&directory, "no-such-tenant", "ada@example.com").await, None);
    database.close().await;
}
