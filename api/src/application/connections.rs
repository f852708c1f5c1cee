//! Connections to databases and Redis, and listening sockets.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use glasshouse_infra::db::{Database, DatabaseSettings};
use glasshouse_infra::faults::Faults;
use glasshouse_infra::redis::{Redis, RedisSettings};
use glasshouse_migrations::REQUIRED_MIGRATION;
use glasshouse_telemetry::service::events::cache::{RedisConnectionFailed, RedisConnectionOk};
use glasshouse_telemetry::service::events::database::{DatabaseConnectionFailed, DatabaseConnectionOk};
use glasshouse_telemetry::service::metrics::{CircuitBreakerMetrics, Metrics};
use glasshouse_telemetry::with_causes;
use url::Url;

use crate::http::health::Dependencies;

/// The connections of a process that uses storage.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) database: Arc<Database>,
    pub(super) redis: Option<Redis>,
    /// What health checks ping. Both listeners and the gauges share the result.
    pub(super) dependencies: Dependencies,
}

/// Connects to the database and checks that it isolates tenants; connects to Redis, if there is one. Redis may be
/// unavailable.
pub(super) async fn connect(
    database: &DatabaseSettings,
    redis: Option<&RedisSettings>,
    faults: &Faults,
    metrics: &Metrics,
) -> anyhow::Result<Connections> {
    let database = Database::connect(database, metrics)
        .await
        .inspect_err(|error| DatabaseConnectionFailed { error: &with_causes(error) }.emit())
        .context("database_connection_failed")?
        .with_injected_delay({
            let faults = faults.clone();
            move || faults.trigger_slow_query()
        });
    database.check_schema(REQUIRED_MIGRATION).await.context("database_check_failed")?;
    DatabaseConnectionOk {}.emit();
    let redis = match redis {
        Some(settings) => Some(connect_redis(settings, metrics.redis_breaker.clone()).await?),
        None => None,
    };
    let dependencies = Dependencies::new(database.monitor(), redis.clone());
    Ok(Connections { database: Arc::new(database), redis, dependencies })
}

/// A pool of connections to Redis. If Redis does not respond, its circuit is open from the start, so that no request waits
/// for it.
async fn connect_redis(settings: &RedisSettings, metrics: CircuitBreakerMetrics) -> anyhow::Result<Redis> {
    let redis = Redis::new(settings, metrics)?;
    match redis.ping().await {
        Ok(()) => RedisConnectionOk {}.emit(),
        Err(error) => RedisConnectionFailed { error: &with_causes(&error) }.emit(),
    }
    Ok(redis)
}

/// Binds a socket to `ADDRESS:PORT` or `HOST:PORT`; `variable` is the setting that an error names. Returns the address that
/// was bound: with port 0, the kernel chose the port.
pub(super) fn bind(address: &str, variable: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}: set {variable} to a free address"))?;
    let bound = listener.local_addr().context("cannot read the bound address")?;
    Ok((listener, bound))
}

/// The URL of an HTTP server at `address`.
pub(super) fn http_url(address: SocketAddr) -> anyhow::Result<Url> {
    Ok(Url::parse(&format!("http://{address}"))?)
}
