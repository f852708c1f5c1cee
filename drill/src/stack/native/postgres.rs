use anyhow::{Context, Result, anyhow};
use sea_orm::{ConnectOptions, ConnectionTrait};
use url::Url;

/// The login role of the service: neither owner nor superuser, whom row-level security would not bind.
const SERVICE: &str = "glasshouse_drill_service";
/// The owner of the schema, who migrates.
const OWNER: &str = "glasshouse_drill_owner";
/// Their password: the roles can do nothing outside a database that is gone after the drill.
const PASSWORD: &str = "drill";

/// A database of its own on a server that is there. Dropping it removes the database.
pub(super) struct Postgres {
    superuser: Url,
    database: String,
}

impl Postgres {
    /// A new, empty database, with the roles that `deploy/compose/postgres-init.sql` makes.
    pub(super) async fn create(superuser_url: &str) -> Result<Self> {
        let superuser = Url::parse(superuser_url).context("the URL of Postgres")?;
        let database = format!("glasshouse_drill_{}", uuid::Uuid::now_v7().simple());
        let role = |name: &str, options: &str| {
            format!(
                "DO $$ BEGIN CREATE ROLE {name} {options};
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            )
        };
        let statements = [
            role("glasshouse_service", "NOLOGIN"),
            role(SERVICE, &format!("LOGIN PASSWORD '{PASSWORD}' IN ROLE glasshouse_service")),
            role(OWNER, &format!("LOGIN PASSWORD '{PASSWORD}'")),
            format!("CREATE DATABASE {database} OWNER {OWNER}"),
        ];
        execute(&superuser, &statements).await.context("Postgres")?;
        Ok(Self { superuser, database })
    }

    /// Where the service reaches it.
    pub(super) fn service_url(&self) -> Result<String> {
        self.url_of(SERVICE)
    }

    /// Where its owner reaches it.
    pub(super) fn owner_url(&self) -> Result<String> {
        self.url_of(OWNER)
    }

    fn url_of(&self, role: &str) -> Result<String> {
        let mut url = self.superuser.clone();
        let named = url.set_username(role).and_then(|()| url.set_password(Some(PASSWORD)));
        named.map_err(|()| anyhow!("the URL of Postgres takes no user"))?;
        url.set_path(&self.database);
        Ok(url.into())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let (superuser, sql) =
            (self.superuser.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.database));
        // A destructor cannot await: another thread does, with a runtime of its own.
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&superuser, &[sql]))
        };
        // If it fails the server is gone, and the database with it.
        let _ = std::thread::spawn(drop_it).join();
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
