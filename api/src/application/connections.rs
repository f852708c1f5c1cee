//! What a process connects to, and where it listens.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, bail};
use glasshouse_infra::db::Database;
use glasshouse_infra::faults::Faults;
use glasshouse_infra::payment_gateway::GatewayClient;
use glasshouse_infra::redis::{Redis, RedisError, RedisSettings};
use glasshouse_telemetry::metrics::Metrics;
use glasshouse_telemetry::with_causes;
use url::Url;

use crate::config::{PaymentGatewayConfig, StorageConfig};
use crate::http::health::Dependencies;

/// Opens the connections and makes sure that each of them works.
pub(super) async fn connect(
    storage: &StorageConfig,
    faults: &Faults,
    metrics: &Metrics,
) -> anyhow::Result<Dependencies> {
    let database = Database::connect(&storage.database, metrics)
        .await
        .inspect_err(|error| tracing::error!(error = with_causes(error), "database_connection_failed"))
        .context("database_connection_failed")?
        .with_faults(faults);
    database.check_isolation().await.context("database_check_failed")?;
    tracing::info!("database_connection_ok");
    let redis = match &storage.redis {
        Some(settings) => {
            let redis = connect_redis(settings)
                .await
                .inspect_err(|error| tracing::error!(error = with_causes(error), "redis_connection_failed"))
                .context("redis_connection_failed")?;
            tracing::info!("redis_connection_ok");
            Some(redis)
        }
        None => None,
    };
    Ok(Dependencies { database: Some(database), redis })
}

async fn connect_redis(settings: &RedisSettings) -> Result<Redis, RedisError> {
    let redis = Redis::new(settings)?;
    redis.ping().await?;
    Ok(redis)
}

pub(super) fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}: set {variable} to a free address"))?;
    let bound = listener.local_addr().context("cannot tell the address that was bound")?;
    Ok((listener, bound))
}

pub(super) fn gateway_client(
    config: &PaymentGatewayConfig,
    simulator: Option<SocketAddr>,
    metrics: &Metrics,
) -> anyhow::Result<GatewayClient> {
    let url = match (&config.url, simulator) {
        (Some(url), _) => url.clone(),
        (None, Some(address)) => Url::parse(&format!("http://{address}"))?,
        (None, None) => bail!("GLASSHOUSE_PAYMENT_GATEWAY_URL: is not set"),
    };
    GatewayClient::new(url, config.settings, metrics.gateway.clone())
        .context("cannot make a client of the payment gateway")
}
