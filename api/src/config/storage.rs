//! Settings of the database and of Redis.

use std::path::{Path, PathBuf};

use glasshouse_infra::db::DatabaseSettings;
use glasshouse_infra::redis::RedisSettings;
use secrecy::SecretString;
use url::Url;

use crate::environment::Reader;

/// The database, as the service and as the owner of the schema connect to it.
#[derive(Clone, Debug)]
pub struct StorageSettings {
    /// The database, as the service connects to it.
    pub database: DatabaseSettings,
    /// The URL with which migrations connect, as the owner of the schema.
    pub migration_url: SecretString,
}

impl StorageSettings {
    /// Reads the settings; `DATABASE_URL` is required.
    pub fn read(env: &mut Reader) -> Option<Self> {
        let hint = "set it to postgres://USER:PASSWORD@HOST/DATABASE";
        let url = env.required("DATABASE_URL", hint, database_url);
        Self::with_url(url, env)
    }

    /// Reads the settings of the demo. Without a `DATABASE_URL` it uses SQLite in `data_directory`.
    pub(super) fn read_for_demo(data_directory: Option<&Path>, env: &mut Reader) -> Option<Self> {
        let Some(directory) = data_directory else { return Self::read(env) };
        let url = format!("sqlite://{}", directory.join("glasshouse.sqlite3").display());
        Self::with_url(Some(url.into()), env)
    }

    fn with_url(url: Option<SecretString>, env: &mut Reader) -> Option<Self> {
        let migration_url = match env.text("DATABASE_MIGRATION_URL") {
            None => url.clone(),
            Some(_) => env.required("DATABASE_MIGRATION_URL", "", database_url),
        };
        let pool_size = env.number("DATABASE_POOL_SIZE", 10, 1..=1000);
        let pool_size = u32::try_from(pool_size).unwrap_or(10);
        let acquire_timeout = env.milliseconds("DATABASE_ACQUIRE_TIMEOUT_MS", 3_000);
        let statement_timeout = env.milliseconds("DATABASE_STATEMENT_TIMEOUT_MS", 5_000);
        let slow_query = env.milliseconds("GLASSHOUSE_SLOW_QUERY_MS", 1_000);
        let reconcile_after = env.seconds("GLASSHOUSE_RECONCILE_AFTER_SECONDS", 30);
        let url = url?;
        let database = DatabaseSettings {
            url,
            pool_size,
            acquire_timeout,
            statement_timeout,
            slow_query,
            reconcile_after,
        };
        Some(Self { database, migration_url: migration_url? })
    }
}

/// Reads the URL with which migrations connect: `DATABASE_MIGRATION_URL`, or else `DATABASE_URL`.
pub fn read_migration_url(env: &mut Reader) -> Option<SecretString> {
    if env.text("DATABASE_MIGRATION_URL").is_some() {
        return env.required("DATABASE_MIGRATION_URL", "", database_url);
    }
    let hint = "set it, or DATABASE_MIGRATION_URL, to postgres://OWNER:PASSWORD@HOST/DATABASE";
    env.required("DATABASE_URL", hint, database_url)
}

/// Reads the directory of the demo's SQLite database; `None` if `DATABASE_URL` names another database.
pub(super) fn read_data_directory(env: &mut Reader) -> Option<PathBuf> {
    let directory = env.or("GLASSHOUSE_DATA_DIR", PathBuf::from("glasshouse-data"));
    env.text("DATABASE_URL").is_none().then_some(directory)
}

/// Reads the settings of Redis; `REDIS_URL` is required.
pub(super) fn read_redis(env: &mut Reader) -> Option<RedisSettings> {
    let hint = "set it to redis://HOST:6379";
    let url = env.required("REDIS_URL", hint, |text| match text.split_once(':') {
        Some(("redis" | "rediss" | "redis+unix" | "unix", _)) => valid_url(text),
        _ => Err("must begin with redis://".to_owned()),
    });
    let pool_size = env.number("REDIS_POOL_SIZE", 16, 1..=1000);
    let timeout = env.milliseconds("REDIS_TIMEOUT_MS", 250);
    Some(RedisSettings { url: url?, pool_size: usize::try_from(pool_size).unwrap_or(16), timeout })
}

/// Accepts URLs of Postgres and SQLite. The error never repeats the URL: it may hold a password.
fn database_url(text: &str) -> Result<SecretString, String> {
    match text.split_once(':') {
        Some(("sqlite", _)) => Ok(SecretString::from(text)),
        Some(("postgres" | "postgresql", _)) => valid_url(text),
        _ => Err("must begin with postgres:// (or sqlite:// for a trial on one machine)".to_owned()),
    }
}

/// The text unchanged, if it is a URL. The error never repeats any of it.
fn valid_url(text: &str) -> Result<SecretString, String> {
    match Url::parse(text) {
        Ok(_) => Ok(SecretString::from(text)),
        Err(error) => Err(format!(
            "is not a URL: {error} (in a password, write characters other than letters, digits, - and _ as %XX)"
        )),
    }
}
