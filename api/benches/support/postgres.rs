//! The database of a measurement on Postgres.

use sea_orm::{ConnectOptions, ConnectionTrait};
use url::Url;

/// The login role of the service, which is neither owner nor superuser.
pub(crate) const SERVICE: &str = "glasshouse_bench_service";
/// The owner of the schema.
const OWNER: &str = "glasshouse_bench_owner";

/// A database that is removed at the end.
pub(crate) struct TemporaryDatabase {
    /// The server, as its superuser.
    pub(crate) superuser: Url,
    redis: String,
    pub(crate) name: String,
}

impl TemporaryDatabase {
    /// Creates an empty database; `None` if no server is given.
    #[expect(clippy::disallowed_methods, reason = "the environment names the servers")]
    pub(crate) async fn create() -> Option<Self> {
        let superuser = Url::parse(&std::env::var("TEST_DATABASE_URL").ok()?).unwrap();
        let redis = std::env::var("TEST_REDIS_URL").ok()?;
        let name = format!("glasshouse_bench_{}", uuid::Uuid::now_v7().simple());
        let role = |name: &str, options: &str| {
            format!(
                "DO $$ BEGIN CREATE ROLE {name} {options}; \
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            )
        };
        let statements = [
            role("glasshouse_service", "NOLOGIN"),
            role(SERVICE, "LOGIN PASSWORD 'bench' IN ROLE glasshouse_service"),
            role(OWNER, "LOGIN PASSWORD 'bench'"),
            format!("CREATE DATABASE {name} OWNER {OWNER}"),
        ];
        execute(&superuser, &statements).await;
        Some(Self { superuser, redis, name })
    }

    /// The settings of a demo that uses it.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_URL", self.url(SERVICE)),
            ("DATABASE_MIGRATION_URL", self.url(OWNER)),
            ("REDIS_URL", self.redis.clone()),
        ]
    }

    /// The URL of the database for a login role whose password is `bench`.
    pub(crate) fn url(&self, role: &str) -> String {
        let mut url = self.superuser.clone();
        url.set_username(role).unwrap();
        url.set_password(Some("bench")).unwrap();
        url.set_path(&self.name);
        url.into()
    }
}

impl Drop for TemporaryDatabase {
    fn drop(&mut self) {
        let (superuser, sql) = (self.superuser.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        // A destructor cannot await, so another thread does, with a runtime of its own.
        let drop_database = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&superuser, &[sql]));
        };
        let _ = std::thread::spawn(drop_database).join();
    }
}

/// Runs statements whose results are of no interest.
pub(crate) async fn execute(url: &Url, statements: &[String]) {
    let mut options = ConnectOptions::new(url.as_str());
    options.max_connections(1).sqlx_logging(false);
    let connection = sea_orm::Database::connect(options).await.unwrap();
    for statement in statements {
        connection.execute_unprepared(statement).await.unwrap();
    }
    connection.close().await.unwrap();
}
