//! A stack of processes on this machine, with a receiver of OTLP and one of notifications in the drill itself.

mod alertmanager;
mod collector;
mod postgres;
mod prometheus;
mod redis;
mod running;
mod service;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::ports::Ports;
use super::{Addresses, Launch, Options, Output, Player, Processes, Setting};
use crate::catalogue::{Part, Process};
use crate::receiver::Receiver;
use collector::{Collector, Seen};
use postgres::Postgres;
use running::{Readiness, Running};
use service::Launches;

/// How long it may take to bring the schema up to date.
const MIGRATION: Duration = Duration::from_secs(120);

/// Its processes end when it is dropped, in the order of these fields: those that use others first.
pub(super) struct Native {
    prometheus: Running,
    alertmanager: Running,
    api: Running,
    worker: Running,
    gateway: Running,
    redis: Running,
    collector: Option<Collector>,
    collector_address: SocketAddr,
    seen: Seen,
    receiver: Receiver,
    _postgres: Postgres,
    k6: PathBuf,
    /// Of Prometheus and Alertmanager.
    data: [PathBuf; 2],
}

impl Native {
    pub(super) async fn start(
        setting: &Setting<'_>,
        processes: &Processes,
        ports: &mut Ports,
    ) -> Result<Self> {
        let &Setting { project, speed, addresses, folder } = setting;
        let receiver = Receiver::start(addresses.receiver).await?;
        let (collector_address, seen) = (ports.free()?, Seen::default());
        let collector = Collector::start(collector_address, seen.clone())?;
        let postgres = Postgres::create(&processes.postgres).await?;
        let redis_address = ports.free()?;
        let redis =
            Running::start(redis::launch(redis_address, folder)?, Readiness::Redis(redis_address)).await?;

        let launches = Launches {
            binary: &processes.binary,
            postgres: &postgres,
            redis: redis_address,
            collector: collector_address,
            addresses,
            folder,
        };
        launches.migrate()?.run(MIGRATION).await?;
        let start = async |process| {
            let ready = format!("http://{}/health/ready", addresses.management(process));
            Running::start(launches.of(process)?, Readiness::Http(ready)).await
        };
        let (gateway, worker) = (start(Process::Gateway).await?, start(Process::Worker).await?);
        let api = start(Process::Api).await?;

        let ready = |address| Readiness::Http(format!("http://{address}/-/ready"));
        let launch = alertmanager::launch(project, speed, addresses, folder)?;
        let alertmanager = Running::start(launch, ready(addresses.alertmanager)).await?;
        let launch = prometheus::launch(project, speed, addresses, folder)?;
        let prometheus = Running::start(launch, ready(addresses.prometheus)).await?;
        Ok(Self {
            prometheus,
            alertmanager,
            api,
            worker,
            gateway,
            redis,
            collector: Some(collector),
            collector_address,
            seen,
            receiver,
            _postgres: postgres,
            k6: processes.k6.clone(),
            data: [folder.join(prometheus::DATA), folder.join(alertmanager::DATA)],
        })
    }

    pub(super) async fn forget(&mut self) -> Result<()> {
        self.prometheus.stop();
        self.alertmanager.stop();
        for data in &self.data {
            std::fs::remove_dir_all(data).with_context(|| data.display().to_string())?;
        }
        self.alertmanager.start_again().await?;
        self.prometheus.start_again().await
    }

    pub(super) fn alertmanager_lines(&self, with: &str) -> Vec<String> {
        self.alertmanager.output().lines_with(with)
    }

    pub(super) fn has_logged(&self, process: Process, event: &str, since: Instant) -> bool {
        self.output(process).last(event).is_some_and(|at| at >= since)
    }

    pub(super) fn has_traced(&self, process: Process, span: &str, since: Instant) -> bool {
        self.seen.last(process.service(), span).is_some_and(|at| at >= since)
    }

    fn output(&self, process: Process) -> &Output {
        match process {
            Process::Api => self.api.output(),
            Process::Worker => self.worker.output(),
            Process::Gateway => self.gateway.output(),
        }
    }

    pub(super) async fn stop(&mut self, part: Part) -> Result<()> {
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

    pub(super) async fn start_again(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Redis => self.redis.start_again().await,
            Part::Api => self.api.start_again().await,
            Part::Collector if self.collector.is_some() => Ok(()),
            Part::Collector => {
                self.collector = Some(Collector::start(self.collector_address, self.seen.clone())?);
                Ok(())
            }
        }
    }

    pub(super) async fn stop_receiver(&self) -> Result<()> {
        self.receiver.stop().await;
        Ok(())
    }

    pub(super) fn casualty(&mut self) -> Result<Option<String>> {
        let Self { prometheus, alertmanager, api, worker, gateway, redis, .. } = self;
        for running in [prometheus, alertmanager, api, worker, gateway, redis] {
            if let Some(casualty) = running.casualty()? {
                return Ok(Some(casualty));
            }
        }
        Ok(None)
    }

    pub(super) fn player(
        &self,
        options: &Options,
        addresses: &Addresses,
        scenario: &str,
        lasting: Option<Duration>,
    ) -> Player {
        let mut launch =
            Launch::new("k6", &self.k6).argument("run").argument("--no-color").argument("--quiet");
        launch = launch.argument("--address").argument(addresses.k6.to_string());
        launch = launch.argument(options.project.scenario(scenario));
        launch.environment.extend(environment(options, addresses));
        launch.environment.insert("K6_NO_USAGE_REPORT", "true".to_owned());
        launch.environment.extend(lasting.map(|lasting| ("DURATION", format!("{}s", lasting.as_secs()))));
        Player { launch, interrupt: None }
    }

    pub(super) fn how_to_run_a_scenario(&self, options: &Options, addresses: &Addresses) -> String {
        let variables = environment(options, addresses).map(|(name, value)| format!("{name}={value}"));
        format!("{} {} run load-tests/scenarios/smoke.js", variables.join(" "), self.k6.display())
    }
}

/// What scenarios are told of the stack.
fn environment(options: &Options, addresses: &Addresses) -> [(&'static str, String); 5] {
    let url = |address| format!("http://{address}");
    [
        ("BASE_URL", url(addresses.http)),
        ("API_MANAGEMENT_URL", url(addresses.management(Process::Api))),
        ("WORKER_MANAGEMENT_URL", url(addresses.management(Process::Worker))),
        ("GATEWAY_URL", url(addresses.gateway)),
        ("SPEED", options.speed.to_string()),
    ]
}
