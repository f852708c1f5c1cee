//! The application of a test, in the process of the test.

use std::collections::HashMap;

use glasshouse_api::application::{Addresses, Application};
use glasshouse_api::config::{Config, ProcessKind};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{Client, Response, new_slug};
use super::database::TestDatabase;

/// The storage of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// SQLite, with the cache and the rate limiter in the process.
    Embedded,
    /// Postgres and Redis.
    Servers,
}

/// A running application with a database of its own: API, worker and gateway simulator in the process of the test.
/// Dropping it stops it.
pub(crate) struct TestApp {
    pub(crate) addresses: Addresses,
    pub(crate) database: TestDatabase,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

impl TestApp {
    /// Starts with the default settings of tests.
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(backend, &[]).await
    }

    /// Starts with additional settings.
    pub(crate) async fn start_with(backend: Backend, settings: &[(&str, &str)]) -> Self {
        Self::start_on(TestDatabase::create(backend).await, settings).await
    }

    /// Starts on an existing database.
    pub(crate) async fn start_on(database: TestDatabase, settings: &[(&str, &str)]) -> Self {
        Self::try_start_on(database, settings).await.unwrap()
    }

    /// Starts on an existing database, or returns why it does not start.
    pub(crate) async fn try_start_on(
        database: TestDatabase,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let application = Application::build(configuration(&database, settings)).await?;
        let addresses = application.addresses();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(application.run_until(async move {
            let _ = stopped.await;
        }));
        let http = reqwest::Client::new();
        Ok(Self { addresses, database, http, stop: Some(stop), running: Some(running) })
    }

    /// The error of a start that must fail.
    pub(crate) async fn start_error(database: &TestDatabase, settings: &[(&str, &str)]) -> String {
        let started = Application::build(configuration(database, settings)).await.err();
        format!("{:#}", started.expect("the start must fail"))
    }

    /// Stops it and waits until it has stopped. Returns its database.
    pub(crate) async fn stop(mut self) -> TestDatabase {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.take().unwrap().await.unwrap().unwrap();
        self.database.clone()
    }

    /// Starts the shutdown without waiting for its end.
    pub(crate) fn begin_shutdown(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// An unauthenticated client.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.http.clone(), format!("http://{}", self.addresses.http.unwrap()))
    }

    /// A client of the management interface.
    pub(crate) fn management(&self) -> Client {
        Client::new(self.http.clone(), format!("http://{}", self.addresses.management.unwrap()))
    }

    /// A client of the payment-gateway simulator.
    pub(crate) fn gateway(&self) -> Client {
        Client::new(self.http.clone(), format!("http://{}", self.addresses.gateway.unwrap()))
    }

    /// Sets the behavior of the gateway simulator, such as `json!({"decline_rate": 1.0})`.
    pub(crate) async fn gateway_behaves(&self, behavior: Value) {
        self.gateway().send(Method::PUT, "/control", Some(behavior)).await.expect(200);
    }

    /// The charge of a payment at the gateway simulator.
    pub(crate) async fn charge_at_gateway(&self, payment: &Value) -> Response {
        self.gateway().get(&format!("/v1/charges/{}", payment.as_str().unwrap())).await
    }

    /// Signs a new tenant up, and logs its owner in.
    pub(crate) async fn new_tenant(&self) -> Client {
        self.anonymous().sign_up(&new_slug()).await
    }

    /// Signs a tenant up, gives it a plan, and logs its owner in.
    pub(crate) async fn sign_up(&self, slug: &str, plan: &str) -> Client {
        let owner = self.anonymous().sign_up(slug).await;
        self.database.query(&format!("UPDATE tenants SET plan = '{plan}' WHERE slug = '{slug}'")).await;
        owner
    }

    /// Logs in a user whose password is [`PASSWORD`].
    pub(crate) async fn log_in(&self, tenant: &str, email: &str) -> Client {
        self.anonymous().log_in(tenant, email, PASSWORD).await
    }

    /// Adds a user with this role to the owner's tenant, and logs them in.
    pub(crate) async fn add_user(&self, owner: &Client, role: &str) -> Client {
        let email = format!("{role}-{}@example.com", uuid::Uuid::now_v7().simple());
        let user = json!({ "email": email, "password": PASSWORD, "role": role });
        owner.post("/v1/users", user).await.expect(201);
        self.log_in(owner.tenant(), &email).await
    }
}

/// Settings of every process in tests: free ports, cheap password hashes, short poll intervals.
pub(crate) const TEST_SETTINGS: [(&str, &str); 20] = [
    ("GLASSHOUSE_HTTP_ADDR", "127.0.0.1:0"),
    ("GLASSHOUSE_MANAGEMENT_ADDR", "127.0.0.1:0"),
    ("GLASSHOUSE_GATEWAY_ADDR", "127.0.0.1:0"),
    ("GLASSHOUSE_HTTP_WORKERS", "2"),
    ("GLASSHOUSE_SHUTDOWN_DRAIN_MS", "0"),
    // The default cost of a hash is too slow for so many tests.
    ("GLASSHOUSE_ARGON2_MEMORY_KIB", "64"),
    ("GLASSHOUSE_ARGON2_PASSES", "1"),
    // Practically no rate limit; tests of rate limits set their own.
    ("GLASSHOUSE_RATE_LIMIT_FREE", "100000/100000"),
    ("GLASSHOUSE_LOGIN_LIMIT", "1000000/1000"),
    ("GLASSHOUSE_LOGIN_LIMIT_ACCOUNT", "1000000/1000"),
    ("GLASSHOUSE_LOGIN_LIMIT_ADDRESS", "1000000/1000"),
    ("GLASSHOUSE_SIGN_UP_LIMIT", "1000000/1000"),
    ("GLASSHOUSE_PASSWORD_RESET_LIMIT_ACCOUNT", "1000000/1000"),
    ("GLASSHOUSE_PASSWORD_RESET_LIMIT_ADDRESS", "1000000/1000"),
    ("GLASSHOUSE_OUTBOX_POLL_MS", "50"),
    ("GLASSHOUSE_RECONCILE_POLL_MS", "50"),
    // Generous timeouts for a busy machine; tests of timeouts set their own.
    ("REDIS_TIMEOUT_MS", "20000"),
    ("DATABASE_ACQUIRE_TIMEOUT_MS", "20000"),
    ("GLASSHOUSE_REQUEST_TIMEOUT_MS", "30000"),
    ("GLASSHOUSE_QUEUE_TARGET_MS", "60000"),
];

fn configuration(database: &TestDatabase, settings: &[(&str, &str)]) -> Config {
    let mut variables: HashMap<String, String> = super::settings(TEST_SETTINGS).into_iter().collect();
    variables.insert("GLASSHOUSE_SHUTDOWN_GRACE_SECONDS".to_owned(), "10".to_owned());
    variables.extend(database.settings());
    variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Config::load(ProcessKind::Demo, |name| variables.get(name).cloned()).unwrap()
}

/// The password of every user in the tests.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
