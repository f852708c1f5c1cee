//! The commands of the binary, a file for each.

pub(crate) mod audit;
pub(crate) mod check_config;
pub(crate) mod check_health;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod seed;
pub(crate) mod serve;
pub(crate) mod set_plan;
pub(crate) mod telemetry_contract;

use anyhow::Context;
use glasshouse_infra::db::{Database, DatabaseSettings};
use glasshouse_telemetry::service::metrics::{Metrics, MetricsSettings};

use crate::config::StorageSettings;
use crate::environment::{Reader, environment};

/// Connects a command that runs once to the database in the environment.
///
/// # Errors
/// When a setting is not valid, or the connection fails.
async fn connect_to_storage() -> anyhow::Result<Database> {
    let mut env = Reader::new(environment);
    let storage = StorageSettings::read(&mut env);
    connect(&env.finish(storage)?.database).await
}

/// Connects a command that runs once to a database. Its metrics are not exported.
///
/// # Errors
/// When the connection fails.
async fn connect(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    let metrics = Metrics::new(MetricsSettings::default())?;
    Database::connect(settings, &metrics).await.context("database_connection_failed")
}
