//! The database of a test.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Statement};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use glasshouse_migrations::Migrator;

use super::Backend;

/// A migrated and empty database for one test. Clones share it; dropping the last one removes it.
#[derive(Clone)]
pub(crate) struct TestDatabase(Arc<Inner>);

enum Inner {
    Sqlite(TempDir),
    Postgres { name: String },
}

/// The login role of the service in tests: neither owner nor superuser.
const SERVICE_LOGIN: &str = "glasshouse_test_service";
/// The owner of the schema in tests. Not a superuser, because row-level security does not apply to superusers.
const OWNER_LOGIN: &str = "glasshouse_test_owner";

impl TestDatabase {
    /// A new database.
    pub(crate) async fn create(backend: Backend) -> Self {
        match backend {
            Backend::Embedded => {
                let database = Self(Arc::new(Inner::Sqlite(tempfile::tempdir().unwrap())));
                migrate(&database.owner_url()).await;
                database
            }
            Backend::Servers => {
                let name = format!("glasshouse_test_{}", uuid::Uuid::now_v7().simple());
                let template = template().await;
                as_superuser(&[format!("CREATE DATABASE {name} TEMPLATE {template}")]).await;
                Self(Arc::new(Inner::Postgres { name }))
            }
        }
    }

    /// A new Postgres database without a schema.
    pub(crate) async fn create_empty() -> Self {
        let name = format!("glasshouse_test_{}", uuid::Uuid::now_v7().simple());
        template().await; // creates the roles
        as_superuser(&[format!("CREATE DATABASE {name} OWNER {OWNER_LOGIN}")]).await;
        Self(Arc::new(Inner::Postgres { name }))
    }

    /// A copy of the database, to which nothing may be connected.
    pub(crate) async fn copy(&self) -> Self {
        match &*self.0 {
            Inner::Sqlite(directory) => {
                let copy = tempfile::tempdir().unwrap();
                for file in std::fs::read_dir(directory.path()).unwrap().map(Result::unwrap) {
                    std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
                }
                Self(Arc::new(Inner::Sqlite(copy)))
            }
            Inner::Postgres { name } => {
                let copy = format!("glasshouse_test_{}", uuid::Uuid::now_v7().simple());
                as_superuser(&[format!("CREATE DATABASE {copy} TEMPLATE {name}")]).await;
                Self(Arc::new(Inner::Postgres { name: copy }))
            }
        }
    }

    /// Runs statements without the application, row-level security and foreign keys.
    pub(crate) async fn execute_without_foreign_keys(&self, sql: &str) {
        let (url, off) = match &*self.0 {
            Inner::Sqlite(_) => (self.owner_url(), "PRAGMA foreign_keys = OFF"),
            Inner::Postgres { name } => (superuser_url(name), "SET session_replication_role = replica"),
        };
        let connection = connect(&url).await;
        connection.execute_unprepared(off).await.unwrap();
        connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.unwrap();
    }

    /// The settings with which the application uses it, and Redis on Postgres.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let mut settings = vec![("DATABASE_URL".to_owned(), self.service_url())];
        if self.is_postgres() {
            settings.push(("REDIS_URL".to_owned(), test_variable("TEST_REDIS_URL")));
        }
        settings
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(*self.0, Inner::Postgres { .. })
    }

    /// The URL of the service.
    pub(crate) fn service_url(&self) -> String {
        self.url(SERVICE_LOGIN)
    }

    /// The URL of the owner of the schema.
    pub(crate) fn owner_url(&self) -> String {
        self.url(OWNER_LOGIN)
    }

    /// The URL of the superuser. Postgres only.
    pub(crate) fn superuser_url(&self) -> String {
        match &*self.0 {
            Inner::Sqlite(_) => panic!("SQLite has no roles"),
            Inner::Postgres { name } => superuser_url(name),
        }
    }

    fn url(&self, role: &str) -> String {
        match &*self.0 {
            Inner::Sqlite(directory) => {
                format!("sqlite://{}", directory.path().join("test.sqlite3").display())
            }
            Inner::Postgres { name } => url_of(role, name),
        }
    }

    /// The rows of a query, without the application and without row-level security.
    pub(crate) async fn query(&self, sql: &str) -> Vec<QueryResult> {
        let connection = match &*self.0 {
            Inner::Sqlite(_) => connect(&self.owner_url()).await,
            Inner::Postgres { name } => connect(&superuser_url(name)).await,
        };
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let rows = connection.query_all_raw(statement).await.unwrap();
        connection.close().await.unwrap();
        rows
    }

    /// The number in the first column, called `n`, of a query's first row.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.query(sql).await[0].try_get("", "n").unwrap()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Self::Postgres { name } = self else { return };
        let sql = format!("DROP DATABASE {name} WITH (FORCE)");
        // A destructor cannot await, so another thread does, with a runtime of its own.
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(as_superuser(&[sql]));
        };
        let _ = std::thread::spawn(drop_it).join();
    }
}

/// The migrated template of all test databases, created once per test run.
async fn template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE.get_or_init(make_template).await
}

async fn make_template() -> String {
    let name = format!("glasshouse_template_{}", uuid::Uuid::now_v7().simple());
    let role = |name: &str, options: &str, defaults: &str| {
        format!(
            "DO $$ BEGIN CREATE ROLE {name} {options}; {defaults}
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    };
    as_superuser(&[
        role("glasshouse_service", "NOLOGIN", ""),
        role(SERVICE_LOGIN, "LOGIN PASSWORD 'test' IN ROLE glasshouse_service", &service_defaults()),
        role(OWNER_LOGIN, "LOGIN PASSWORD 'test'", ""),
        format!("CREATE DATABASE {name} OWNER {OWNER_LOGIN}"),
    ])
    .await;
    migrate(&url_of(OWNER_LOGIN, &name)).await;
    name
}

/// The statements that give the service's login role its deployed defaults.
fn service_defaults() -> String {
    let deployed = include_str!("../../../../deploy/compose/postgres-init.sql").lines();
    let defaults = deployed.filter(|line| line.starts_with("ALTER ROLE glasshouse_app SET "));
    defaults.map(|line| line.replace("glasshouse_app", SERVICE_LOGIN)).collect()
}

async fn migrate(url: &str) {
    let connection = glasshouse_migrations::connect(url).await.unwrap();
    glasshouse_migrations::apply::<Migrator>(&connection, None, |_| {}).await.unwrap();
    connection.close().await.unwrap();
}

async fn as_superuser(statements: &[String]) {
    let connection = connect(&test_variable("TEST_DATABASE_URL")).await;
    for statement in statements {
        connection.execute_unprepared(statement).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// One connection, without the application.
pub(crate) async fn connect(url: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

fn superuser_url(database: &str) -> String {
    let mut url = url::Url::parse(&test_variable("TEST_DATABASE_URL")).unwrap();
    url.set_path(database);
    url.to_string()
}

fn url_of(role: &str, database: &str) -> String {
    let mut url = url::Url::parse(&superuser_url(database)).unwrap();
    url.set_username(role).unwrap();
    url.set_password(Some("test")).unwrap();
    url.to_string()
}

/// An environment variable with the URL of a test server.
#[expect(clippy::disallowed_methods, reason = "the environment configures the test servers")]
pub(crate) fn test_variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with `make test`"))
}

/// An environment variable that changes what a test does beside its checks.
#[expect(clippy::disallowed_methods, reason = "the environment asks for it")]
pub(crate) fn optional_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
