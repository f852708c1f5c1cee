//! A temporary database on an existing Postgres server.

use anyhow::{Context, Result, anyhow};
use sea_orm::{ConnectOptions, ConnectionTrait};
use url::Url;

use crate::project::{self, Project};

/// The password of both roles. They have no rights outside the temporary database.
const PASSWORD: &str = "drill";

/// A temporary database. Dropping this drops the database.
pub(super) struct Postgres {
    superuser: Url,
    database: String,
    /// The login role of the service. It is neither owner nor superuser, so that row-level security applies.
    service: String,
    /// The owner of the schema, which runs the migrations.
    owner: String,
}

impl Postgres {
    /// Creates an empty database, with roles after the model of those of the project.
    pub(super) async fn create(
        superuser_url: &str,
        project: &Project,
        roles: &project::Postgres,
    ) -> Result<Self> {
        let superuser = Url::parse(superuser_url).context("the URL of Postgres")?;
        let project_name = &project.config().name;
        let (service, owner) =
            (format!("{project_name}_drill_service"), format!("{project_name}_drill_owner"));
        let database = format!("{project_name}_drill_{}", uuid::Uuid::now_v7().simple());
        let role = |name: &str, options: &str, defaults: &str| {
            format!(
                "DO $$ BEGIN CREATE ROLE {name} {options}; {defaults}
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            )
        };
        let defaults = match (&roles.defaults, &roles.defaults_of) {
            (Some(script), Some(deployed)) => {
                let script = project.path(script);
                let text = std::fs::read_to_string(&script).with_context(|| script.display().to_string())?;
                role_defaults(&text, deployed, &service)
            }
            _ => String::new(),
        };
        let login = format!("LOGIN PASSWORD '{PASSWORD}'");
        let member = roles.group.as_ref().map(|group| format!("IN ROLE {group}")).unwrap_or_default();
        let statements = roles.group.iter().map(|group| role(group, "NOLOGIN", "")).chain([
            role(&service, &format!("{login} {member}"), &defaults),
            role(&owner, &login, ""),
            format!("CREATE DATABASE {database} OWNER {owner}"),
        ]);
        execute(&superuser, &statements.collect::<Vec<_>>()).await.context("Postgres")?;
        Ok(Self { superuser, database, service, owner })
    }

    /// The URL for the service.
    pub(super) fn service_url(&self) -> Result<String> {
        self.url_for(&self.service)
    }

    /// The URL for the owner of the schema.
    pub(super) fn owner_url(&self) -> Result<String> {
        self.url_for(&self.owner)
    }

    /// The URL for the superuser of the server.
    pub(super) fn superuser_url(&self) -> Url {
        let mut url = self.superuser.clone();
        url.set_path(&self.database);
        url
    }

    /// Makes the database unavailable, though not the server, which others may use: closes all connections and refuses new
    /// ones.
    pub(super) async fn refuse_connections(&self) -> Result<()> {
        let Self { superuser, database, .. } = self;
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
        let mut url = self.superuser_url();
        let is_set = url.set_username(role).and_then(|()| url.set_password(Some(PASSWORD)));
        is_set.map_err(|()| anyhow!("the URL of Postgres cannot have a user"))?;
        Ok(url.into())
    }
}

/// The statements of a script that give the role `deployed` its defaults, for another role.
pub fn role_defaults(script: &str, deployed: &str, role: &str) -> String {
    let start = format!("ALTER ROLE {deployed} SET ");
    let defaults = script.lines().filter_map(|line| line.strip_prefix(&start));
    defaults.map(|default| format!("ALTER ROLE {role} SET {default} ")).collect()
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
