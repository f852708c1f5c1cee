//! The stack that drills run on: real processes on this machine, on free ports, all of which end with it.

mod alertmanager;
mod child;
mod collector;
mod ports;
mod postgres;
mod prometheus;
mod redis;
mod running;
mod service;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::alertmanager_api::AlertmanagerApi;
use crate::catalogue::{Part, Process};
use crate::project::Project;
use crate::receiver::Receiver;
use crate::speed::Speed;
use crate::watch::PrometheusApi;

pub(crate) use child::Launch;
pub use child::{Child, Output, find_program};
use collector::Collector;
pub use collector::Seen;
use ports::Ports;
use postgres::Postgres;
use running::{Readiness, Running};
use service::Launches;

/// What a stack is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where rules and configurations are.
    pub project: Project,
    /// By how much their durations are divided.
    pub speed: Speed,
    /// The program `glasshouse`.
    pub binary: PathBuf,
    /// Where a superuser reaches Postgres.
    pub postgres: String,
}

/// Where everything listens.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The public interface of the API.
    pub http: SocketAddr,
    /// The management interfaces.
    pub management: [SocketAddr; 3],
    /// The payment gateway.
    pub gateway: SocketAddr,
    /// Redis.
    pub redis: SocketAddr,
    /// The receiver of OTLP.
    pub collector: SocketAddr,
    /// Prometheus.
    pub prometheus: SocketAddr,
    /// Alertmanager.
    pub alertmanager: SocketAddr,
    /// The receiver of notifications.
    pub receiver: SocketAddr,
    /// The interface that k6 has while it runs.
    pub k6: SocketAddr,
}

/// A running stack. Its processes end when it is dropped, in the order of these fields: those that use
/// others first, and the folder of their files last.
pub struct Stack {
    options: Options,
    addresses: Addresses,
    prometheus: Running,
    prometheus_api: PrometheusApi,
    alertmanager: Running,
    alertmanager_api: AlertmanagerApi,
    api: Running,
    worker: Running,
    gateway: Running,
    redis: Running,
    collector: Option<Collector>,
    seen: Seen,
    receiver: Receiver,
    _postgres: Postgres,
    folder: TempDir,
}

impl Stack {
    /// Starts everything and waits until it is ready.
    pub async fn start(options: Options) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("glasshouse-drill.").tempdir()?;
        let path = folder.path();
        let addresses = Addresses::free()?;
        let receiver = Receiver::start(addresses.receiver).await?;
        let seen = Seen::default();
        let collector = Collector::start(addresses.collector, seen.clone())?;
        let postgres = Postgres::create(&options.postgres).await?;
        let redis =
            Running::start(redis::launch(addresses.redis, path)?, Readiness::Redis(addresses.redis)).await?;

        let launches =
            Launches { binary: &options.binary, postgres: &postgres, addresses: &addresses, folder: path };
        launches.migrate()?.run().await?;
        let start = async |process| {
            let ready = format!("http://{}/health/ready", addresses.management(process));
            Running::start(launches.of(process)?, Readiness::Http(ready)).await
        };
        let (gateway, worker) = (start(Process::Gateway).await?, start(Process::Worker).await?);
        let api = start(Process::Api).await?;

        let (project, speed) = (&options.project, options.speed);
        let ready = |address| Readiness::Http(format!("http://{address}/-/ready"));
        let launch = alertmanager::launch(project, speed, &addresses, path)?;
        let alertmanager = Running::start(launch, ready(addresses.alertmanager)).await?;
        let launch = prometheus::launch(project, speed, &addresses, path)?;
        let prometheus = Running::start(launch, ready(addresses.prometheus)).await?;
        Ok(Self {
            prometheus_api: PrometheusApi::new(addresses.prometheus),
            alertmanager_api: AlertmanagerApi::new(addresses.alertmanager),
            options,
            addresses,
            prometheus,
            alertmanager,
            api,
            worker,
            gateway,
            redis,
            collector: Some(collector),
            seen,
            receiver,
            _postgres: postgres,
            folder,
        })
    }

    /// Starts Prometheus and Alertmanager anew, without any memory: the burn rates look back for hours, and
    /// should not see what was done before.
    pub async fn forget(&mut self) -> Result<()> {
        self.prometheus.stop();
        self.alertmanager.stop();
        for data in [prometheus::DATA, alertmanager::DATA] {
            let data = self.folder.path().join(data);
            std::fs::remove_dir_all(&data).with_context(|| data.display().to_string())?;
        }
        self.alertmanager.start_again().await?;
        self.prometheus.start_again().await
    }

    /// What it was made of.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Where everything listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Prometheus.
    pub fn prometheus(&self) -> &PrometheusApi {
        &self.prometheus_api
    }

    /// Alertmanager.
    pub fn alertmanager(&self) -> &AlertmanagerApi {
        &self.alertmanager_api
    }

    /// What Alertmanager wrote.
    pub fn alertmanager_output(&self) -> &Output {
        self.alertmanager.output()
    }

    /// Where Alertmanager delivers to.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// The spans that came.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// What a process wrote.
    pub fn output(&self, process: Process) -> &Output {
        match process {
            Process::Api => self.api.output(),
            Process::Worker => self.worker.output(),
            Process::Gateway => self.gateway.output(),
        }
    }

    /// Stops a part, at once and without a farewell.
    pub async fn stop(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Redis => self.redis.stop(),
            Part::Api => self.api.stop(),
            Part::Collector => {
                if let Some(collector) = self.collector.take() {
                    collector.stop().await?;
                }
            }
        }
        Ok(())
    }

    /// Starts a part anew, and waits until it is ready.
    pub async fn start_again(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Redis => self.redis.start_again().await,
            Part::Api => self.api.start_again().await,
            Part::Collector if self.collector.is_some() => Ok(()),
            Part::Collector => {
                self.collector = Some(Collector::start(self.addresses.collector, self.seen.clone())?);
                Ok(())
            }
        }
    }

    /// The first process that has ended although nobody stopped it, with its last lines.
    pub fn casualty(&mut self) -> Result<Option<String>> {
        let Self { prometheus, alertmanager, api, worker, gateway, redis, .. } = self;
        for running in [prometheus, alertmanager, api, worker, gateway, redis] {
            if let Some(casualty) = running.casualty()? {
                return Ok(Some(casualty));
            }
        }
        Ok(None)
    }
}

impl Addresses {
    fn free() -> Result<Self> {
        let mut ports = Ports::default();
        let mut free = || ports.free().context("an address for the stack");
        Ok(Self {
            http: free()?,
            management: [free()?, free()?, free()?],
            gateway: free()?,
            redis: free()?,
            collector: free()?,
            prometheus: free()?,
            alertmanager: free()?,
            receiver: free()?,
            k6: free()?,
        })
    }

    /// The management interface of a process.
    pub fn management(&self, process: Process) -> SocketAddr {
        self.management[process as usize]
    }
}
