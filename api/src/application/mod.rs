//! The whole process, composed in one place: connections, servers and background work, and how they stop.

mod connections;
mod servers;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use anyhow::{Context, bail};
use futures_util::future::join_all;
use glasshouse_infra::db::Database;
use glasshouse_infra::faults::Faults;
use glasshouse_telemetry::metrics::Metrics;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connections::{bind, connect, gateway_client};
use self::servers::{ApiParts, gateway_server, management_server};
use crate::config::{Config, ShutdownConfig};
use crate::http::health::Dependencies;
use crate::http::management::faults::FaultPanel;
use crate::http::management::metrics::Gauges;
use crate::http::public::middleware::{Draining, InFlight};
use crate::worker::Worker;

/// A process that is built and bound to its ports, and not serving yet.
pub struct Application {
    servers: Vec<Server>,
    addresses: Addresses,
    worker: Option<Worker>,
    database: Option<Database>,
    draining: Draining,
    in_flight: InFlight,
    shutdown: ShutdownConfig,
}

/// Where the process listens. With port 0 in the configuration, these are the ports that it got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses {
    /// The public interface.
    pub http: Option<SocketAddr>,
    /// The management interface.
    pub management: Option<SocketAddr>,
    /// The payment-gateway simulator.
    pub gateway: Option<SocketAddr>,
}

/// How long closing the connections to the database may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

impl Application {
    /// Connects to everything the configuration names, checks that it answers, and binds the ports.
    ///
    /// # Errors
    /// When something cannot be reached or bound: the process must not start half.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "application_starting");
        let (draining, mut addresses, mut servers) = (Draining::default(), Addresses::default(), Vec::new());
        let metrics = Metrics::new(config.metrics)?;
        metrics.runtime.watch("main");
        let faults = if config.faults_are_enabled {
            Faults::enabled(metrics.faults.clone())
        } else {
            Faults::disabled()
        };
        let dependencies = match &config.storage {
            Some(storage) => connect(storage, &faults, &metrics).await?,
            None => Dependencies::default(),
        };
        if let Some(address) = config.gateway_addr {
            let (listener, bound) = bind(address, "GLASSHOUSE_GATEWAY_ADDR")?;
            addresses.gateway = Some(bound);
            servers.push(gateway_server(listener, config.shutdown, metrics.runtime.clone())?);
        }
        let payment_gateway = match &config.payment_gateway {
            Some(settings) => Some(gateway_client(settings, addresses.gateway, &metrics)?),
            None => None,
        };
        let in_flight = InFlight::new(config.api.as_ref().map_or(0, |api| api.limits.concurrent_requests));
        let mut active_users = None;
        if let (Some(api), Some(gateway)) = (config.api, &payment_gateway) {
            let (listener, bound) = bind(api.http_addr, "GLASSHOUSE_HTTP_ADDR")?;
            addresses.http = Some(bound);
            let parts = ApiParts::new(api, &dependencies, gateway, &draining, &in_flight, &faults, &metrics)?;
            active_users = Some(parts.active_users());
            servers.push(parts.server(listener, config.shutdown)?);
        }
        let (listener, bound) = bind(config.management_addr, "GLASSHOUSE_MANAGEMENT_ADDR")?;
        addresses.management = Some(bound);
        let database = dependencies.database.clone();
        let outbox = metrics.outbox.clone();
        let gauges = Gauges::new(metrics, dependencies, active_users);
        let panel = FaultPanel {
            faults: faults.clone(),
            database: database.clone(),
            has_api: addresses.http.is_some(),
            has_worker: config.worker.is_some(),
        };
        servers.push(management_server(listener, gauges, panel, draining.clone())?);
        let worker = match (config.worker, &database, payment_gateway) {
            (Some(worker), Some(database), Some(gateway)) => {
                Some(Worker::new(database.clone(), gateway, worker, faults, outbox))
            }
            _ => None,
        };
        Ok(Self { servers, addresses, worker, database, draining, in_flight, shutdown: config.shutdown })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `stop`, and then stops in order: readiness turns 503, requests and background work finish,
    /// connections close.
    ///
    /// # Errors
    /// When a server fails, or the work does not finish in time.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let handles: Vec<ServerHandle> = self.servers.iter().map(Server::handle).collect();
        let mut serving: JoinSet<io::Result<()>> = self.servers.into_iter().collect();
        let stop_working = CancellationToken::new();
        let mut working = JoinSet::new();
        if let Some(worker) = self.worker {
            let stop = stop_working.clone();
            working.spawn(async move { worker.run(&stop).await });
        }
        let Addresses { http, management, gateway } = self.addresses;
        tracing::info!(
            http_addr = http.map(display),
            management_addr = management.map(display),
            gateway_addr = gateway.map(display),
            "application_started"
        );
        tokio::select! {
            () = stop => {}
            Some(ended) = serving.join_next() => bail!("a server stopped by itself: {ended:?}"),
        }

        tracing::info!("application_stopping");
        self.draining.start();
        stop_working.cancel();
        tokio::time::sleep(self.shutdown.drain).await;
        let finish = async {
            working.join_all().await;
            finish_requests(&self.in_flight).await;
            join_all(handles.iter().map(|handle| handle.stop(true))).await;
            serving.join_all().await;
        };
        let in_time = tokio::time::timeout(self.shutdown.grace, finish).await;
        if let Some(database) = self.database {
            // Closing waits for connections in use, and a request that is stuck never gives its own back.
            let _ = tokio::time::timeout(CLOSE_PATIENCE, database.close()).await;
        }
        in_time.context("requests or background work did not finish in time")?;
        tracing::info!("application_stopped");
        Ok(())
    }
}

/// Waits for the requests that are being served. Each server thread has connections to the database that
/// others use too, so no thread may end before the last request has.
async fn finish_requests(in_flight: &InFlight) {
    while in_flight.count() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
