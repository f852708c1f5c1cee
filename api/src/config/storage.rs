//! Settings of the database and of Redis.

use std::path::{Path, PathBuf};

use glasshouse_infra::db::{DatabaseAddress, DatabaseSettings};
use glasshouse_infra::redis::RedisSettings;

use crate::environment::Reader;

/// The database, as the service and as the owner of the schema connect to it.
#[derive(Clone, Debug)]
pub struct StorageSettings {
    /// The database, as the service connects to it.
    pub database: DatabaseSettings,
    /// The address with which migrations connect, as the owner of the schema.
    pub migration_address: DatabaseAddress,
}

impl StorageSettings {
    /// Reads the settings; `DATABASE_URL` is required.
    pub fn read(env: &mut Reader) -> Option<Self> {
        let hint = "set it to postgres://USER:PASSWORD@HOST/DATABASE";
        let address = env.required_value("DATABASE_URL", hint);
        Self::with_address(address, env)
    }

    /// Reads the database as the owner of the schema connects to it.
    pub fn read_as_owner(env: &mut Reader) -> Option<DatabaseSettings> {
        let address = read_migration_address(env);
        Some(Self::with_address(address, env)?.database)
    }

    /// Reads the settings of the demo. Without a `DATABASE_URL` it uses SQLite in `data_directory`.
    pub(super) fn read_for_demo(data_directory: Option<&Path>, env: &mut Reader) -> Option<Self> {
        let Some(directory) = data_directory else { return Self::read(env) };
        let url = format!("sqlite://{}", directory.join("glasshouse.sqlite3").display());
        let address = url.parse().map_err(|error| env.wrong("GLASSHOUSE_DATA_DIR", &error)).ok();
        Self::with_address(address, env)
    }

    fn with_address(address: Option<DatabaseAddress>, env: &mut Reader) -> Option<Self> {
        let migration_address = match env.text("DATABASE_MIGRATION_URL") {
            None => address.clone(),
            Some(_) => env.required_value("DATABASE_MIGRATION_URL", ""),
        };
        let pool_size = env.number("DATABASE_POOL_SIZE", 10, 1..=1000);
        let pool_size = u32::try_from(pool_size).unwrap_or(10);
        let acquire_timeout = env.milliseconds("DATABASE_ACQUIRE_TIMEOUT_MS", 3_000);
        let statement_timeout = env.milliseconds("DATABASE_STATEMENT_TIMEOUT_MS", 5_000);
        let slow_query = env.milliseconds("GLASSHOUSE_SLOW_QUERY_MS", 1_000);
        let reconcile_after = env.seconds("GLASSHOUSE_RECONCILE_AFTER_SECONDS", 30);
        let database = DatabaseSettings {
            address: address?,
            pool_size,
            acquire_timeout,
            statement_timeout,
            slow_query,
            reconcile_after,
        };
        Some(Self { database, migration_address: migration_address? })
    }
}

/// Reads the address with which migrations connect: `DATABASE_MIGRATION_URL`, or else `DATABASE_URL`.
pub fn read_migration_address(env: &mut Reader) -> Option<DatabaseAddress> {
    if env.text("DATABASE_MIGRATION_URL").is_some() {
        return env.required_value("DATABASE_MIGRATION_URL", "");
    }
    let hint = "set it, or DATABASE_MIGRATION_URL, to postgres://OWNER:PASSWORD@HOST/DATABASE";
    env.required_value("DATABASE_URL", hint)
}

/// Reads the login role of the service, which `DATABASE_URL` names if the owner has an address of its own.
pub fn read_service_role(env: &mut Reader) -> Option<String> {
    env.text("DATABASE_MIGRATION_URL")?;
    env.text("DATABASE_URL")?;
    let address: DatabaseAddress = env.required_value("DATABASE_URL", "")?;
    address.role().map(str::to_owned)
}

/// Reads the directory of the demo's SQLite database; `None` if `DATABASE_URL` names another database.
pub(super) fn read_data_directory(env: &mut Reader) -> Option<PathBuf> {
    let directory = env.or("GLASSHOUSE_DATA_DIR", PathBuf::from("glasshouse-data"));
    env.text("DATABASE_URL").is_none().then_some(directory)
}

/// Reads the settings of Redis; `REDIS_URL` is required.
pub(super) fn read_redis(env: &mut Reader) -> Option<RedisSettings> {
    let address = env.required_value("REDIS_URL", "set it to redis://HOST:6379");
    let pool_size = env.number("REDIS_POOL_SIZE", 16, 1..=1000);
    let timeout = env.milliseconds("REDIS_TIMEOUT_MS", 250);
    Some(RedisSettings { address: address?, pool_size: usize::try_from(pool_size).unwrap_or(16), timeout })
}
