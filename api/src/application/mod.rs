//! The composition root: which parts each kind of process is built from, and how a process runs and stops.

mod api_parts;
mod builder;
mod connections;
mod servers;
mod shutdown;

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::bail;
use glasshouse_infra::db::Database;
use glasshouse_telemetry::service::events::process::{
    ApplicationStarted, ApplicationStarting, ApplicationStopped, ApplicationStopping,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::builder::Builder;
use self::servers::RunningServer;
use self::shutdown::Shutdown;
use crate::config::{Config, DemoConfig, ServeConfig, ShutdownSettings, WorkerConfig};
use crate::console::Console;
use crate::demo::Demo;
use crate::http::Draining;
use crate::worker::Worker;

/// A process that is connected and bound to its ports, but not serving yet.
pub struct Application {
    /// The public server, if this process has it.
    api: Option<RunningServer>,
    /// The servers that stop after it.
    servers: Vec<RunningServer>,
    addresses: Addresses,
    worker: Option<Worker>,
    console: Option<Console>,
    demo: Option<Demo>,
    database: Option<Arc<Database>>,
    draining: Draining,
    shutdown: ShutdownSettings,
}

/// The addresses on which the process listens. With port 0 in the configuration, these hold the actual port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses {
    /// The public interface.
    pub http: Option<SocketAddr>,
    /// The management interface.
    pub management: Option<SocketAddr>,
    /// The payment-gateway simulator.
    pub gateway: Option<SocketAddr>,
}

impl Application {
    /// Connects to the dependencies in the configuration, checks them, and binds the ports.
    ///
    /// # Errors
    /// When a connection or a port fails. A process never starts partially.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        ApplicationStarting { version: env!("CARGO_PKG_VERSION") }.emit();
        match config {
            Config::Demo(config) => Self::demo(*config).await,
            Config::Serve(config) => Self::serve(*config).await,
            Config::Worker(config) => Self::worker(*config).await,
            Config::Gateway(config) => {
                let mut builder = Builder::new(config.process)?;
                builder.add_gateway_simulator(config.simulator_address)?;
                builder.finish()
            }
        }
    }

    async fn demo(config: DemoConfig) -> anyhow::Result<Self> {
        let mut builder = Builder::new(config.process)?;
        let connections = builder.connect(&config.storage, config.redis.as_ref()).await?;
        builder.add_gateway_simulator(config.simulator_address)?;
        builder.lead_to_console(&config.http)?;
        let third_parties = builder.third_parties(config.third_parties)?;
        builder.add_api(config.http, &config.auth, &connections, third_parties.clone())?;
        builder.add_worker(config.worker, &connections, third_parties);
        builder.add_demo(config.demo)?;
        builder.finish()
    }

    async fn serve(config: ServeConfig) -> anyhow::Result<Self> {
        let mut builder = Builder::new(config.process)?;
        let connections = builder.connect(&config.storage, Some(&config.redis)).await?;
        let third_parties = builder.third_parties(config.third_parties)?;
        builder.add_api(config.http, &config.auth, &connections, third_parties)?;
        builder.finish()
    }

    async fn worker(config: WorkerConfig) -> anyhow::Result<Self> {
        let mut builder = Builder::new(config.process)?;
        let connections = builder.connect(&config.storage, None).await?;
        let third_parties = builder.third_parties(config.third_parties)?;
        builder.add_worker(config.worker, &connections, third_parties);
        builder.finish()
    }

    /// Builds the clients of a process as [`build`](Self::build) does, without a connection.
    ///
    /// # Errors
    /// When a client cannot be built with these settings.
    pub fn check(config: Config) -> anyhow::Result<()> {
        let (process, redis, third_parties) = match config {
            Config::Demo(config) => {
                let calls_simulator = config.third_parties.payment_gateway_url.is_none();
                let third_parties = Some(config.third_parties).filter(|_| !calls_simulator);
                (config.process, config.redis, third_parties)
            }
            Config::Serve(config) => (config.process, Some(config.redis), Some(config.third_parties)),
            Config::Worker(config) => (config.process, None, Some(config.third_parties)),
            Config::Gateway(config) => (config.process, None, None),
        };
        let builder = Builder::new(process)?;
        redis.as_ref().map(|settings| builder.redis(settings)).transpose()?;
        third_parties.map(|settings| builder.third_parties(settings)).transpose()?;
        Ok(())
    }

    /// The addresses on which the process listens.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `stop` resolves, and then shuts down gracefully: readiness turns 503, new connections are refused,
    /// requests and background work finish, connections close.
    ///
    /// # Errors
    /// When a server ends by itself, or requests and background work exceed the grace period.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut serving: JoinSet<io::Result<()>> = JoinSet::new();
        let mut serve = |server: RunningServer| {
            let (server, stop) = server.into_parts();
            serving.spawn(server);
            stop
        };
        let (api, others) = (self.api.map(&mut serve), self.servers.into_iter().map(serve).collect());
        let stop_working = CancellationToken::new();
        let mut working = JoinSet::new();
        if let Some(worker) = self.worker {
            let stop = stop_working.clone();
            working.spawn(async move { worker.run(&stop).await });
        }
        if let Some(console) = self.console {
            let stop = stop_working.clone();
            working.spawn(async move { console.run(&stop).await });
        }
        if let Some(demo) = self.demo {
            let stop = stop_working.clone();
            working.spawn(async move { demo.run(&stop).await });
        }
        let Addresses { http, management, gateway } = self.addresses;
        ApplicationStarted {
            http_addr: displayed(&http),
            management_addr: displayed(&management),
            gateway_addr: displayed(&gateway),
        }
        .emit();
        tokio::select! {
            () = stop => {}
            Some(ended) = serving.join_next() => bail!("a server stopped by itself: {ended:?}"),
            Some(ended) = working.join_next() => bail!("background work stopped by itself: {ended:?}"),
        }

        ApplicationStopping {}.emit();
        self.draining.start();
        stop_working.cancel();
        tokio::time::sleep(self.shutdown.drain).await;
        Shutdown { api, others, working, database: self.database }.finish_within(self.shutdown.grace).await?;
        serving.join_all().await;
        ApplicationStopped {}.emit();
        Ok(())
    }
}

fn displayed(address: &Option<SocketAddr>) -> Option<&dyn Display> {
    address.as_ref().map(|address| address as &dyn Display)
}
