//! A temporary database on an existing Postgres server.

use anyhow::{Context, Result, anyhow};
use sea_orm::{ConnectOptions, ConnectionTrait};
use url::Url;

/// The login role of the service. It is neither owner nor superuser, so that row-level security applies.
const SERVICE: &str = "glasshouse_drill_service";
/// The owner of the schema, which runs the migrations.
const OWNER: &str = "glasshouse_drill_owner";
/// The password of both roles. They have no rights outside the temporary database.
const PASSWORD: &str = "drill";

/// The roles of a deployment.
const DEPLOYED_ROLES: &str = include_str!("../../../../deploy/compose/postgres-init.sql");

/// A temporary database. Dropping this drops the database.
pub(super) struct Postgres {
    superuser: Url,
    database: String,
}

impl Postgres {
    /// Creates an empty database, with the roles of `deploy/compose/postgres-init.sql`.
    pub(super) async fn create(superuser_url: &str) -> Result<Self> {
        let superuser = Url::parse(superuser_url).context("the URL of Postgres")?;
        let database = format!("glasshouse_drill_{}", uuid::Uuid::now_v7().simple());
        let role = |name: &str, options: &str, defaults: &str| {
            format!(
                "DO $$ BEGIN CREATE ROLE {name} {options}; {defaults}
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            )
        };
        let of_service = format!("LOGIN PASSWORD '{PASSWORD}' IN ROLE glasshouse_service");
        let statements = [
            role("glasshouse_service", "NOLOGIN", ""),
            role(SERVICE, &of_service, &service_defaults(SERVICE)),
            role(OWNER, &format!("LOGIN PASSWORD '{PASSWORD}'"), ""),
            format!("CREATE DATABASE {database} OWNER {OWNER}"),
        ];
        execute(&superuser, &statements).await.context("Postgres")?;
        Ok(Self { superuser, database })
    }

    /// The URL for the service.
    pub(super) fn service_url(&self) -> Result<String> {
        self.url_for(SERVICE)
    }

    /// The URL for the owner of the schema.
    pub(super) fn owner_url(&self) -> Result<String> {
        self.url_for(OWNER)
    }

    /// Makes the database unavailable, though not the server, which others may use: closes all connections and refuses new
    /// ones.
    pub(super) async fn refuse_connections(&self) -> Result<()> {
        let Self { superuser, database } = self;
        let statements = [
            format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false"),
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"),
        ];
        execute(superuser, &statements).await.context("Postgres")
    }

    /// Makes the database available again.
    pub(super) async fn allow_connections(&self) -> Result<()> {
        let statement = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.database);
        execute(&self.superuser, &[statement]).await.context("Postgres")
    }

    fn url_for(&self, role: &str) -> Result<String> {
        let mut url = self.superuser.clone();
        let is_set = url.set_username(role).and_then(|()| url.set_password(Some(PASSWORD)));
        is_set.map_err(|()| anyhow!("the URL of Postgres cannot have a user"))?;
        url.set_path(&self.database);
        Ok(url.into())
    }
}

/// The statements that give a login role of the service the defaults of its deployed role.
pub fn service_defaults(role: &str) -> String {
    let defaults = DEPLOYED_ROLES.lines().filter(|line| line.starts_with("ALTER ROLE glasshouse_app SET "));
    defaults.map(|line| line.replace("glasshouse_app", role)).collect()
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let (superuser, sql) =
            (self.superuser.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.database));
        // A destructor cannot await, so another thread does, with a runtime of its own.
        let drop_database = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&superuser, &[sql]))
        };
        // A failure means that the server is down. There is no caller to report it to.
        let _ = std::thread::spawn(drop_database).join();
    }
}

async fn execute(url: &Url, statements: &[String]) -> Result<()> {
    let mut options = ConnectOptions::new(url.as_str());
    options.max_connections(1).sqlx_logging(false);
    let connection = sea_orm::Database::connect(options).await?;
    for statement in statements {
        connection.execute_unprepared(statement).await?;
    }
    Ok(connection.close().await?)
}
