//! A stack of processes on this machine. The OTLP receiver and the webhook receiver run in the drill itself.

mod alertmanager;
mod collector;
mod disk;
mod exporters;
mod front_door;
mod managed_process;
mod postgres;
mod prometheus;
pub mod redis;
mod service;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::addresses::Addresses;
use super::options::{Options, StackContext};
use super::output::Output;
use super::platform::NativeOptions;
use super::ports::PortAllocator;
use super::process::{ProcessSpec, ScenarioCommand};
use crate::catalogue::{Component, Process};
use crate::receiver::{self, Receiver};
pub use collector::{Collector, SpanKind, Spans};
use disk::Disk;
use exporters::Exporters;
use front_door::FrontDoor;
use managed_process::{ManagedProcess, ReadinessProbe};
use postgres::Postgres;
pub use postgres::service_defaults;
pub use prometheus::{OtherTargets, PrometheusOptions};
use service::ServiceSpecs;

/// The timeout of the migration.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(120);

/// The timeout of another command of the service.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// A running stack. Dropping it kills the processes in the order of these fields: clients before servers.
pub(super) struct NativeStack {
    prometheus: ManagedProcess,
    alertmanager: ManagedProcess,
    exporters: Exporters,
    front_door: FrontDoor,
    api: ManagedProcess,
    worker: ManagedProcess,
    gateway: ManagedProcess,
    redis: ManagedProcess,
    collector: Option<Collector>,
    collector_address: SocketAddr,
    spans: Spans,
    receiver: Receiver,
    disk: Disk,
    postgres: Postgres,
    k6: PathBuf,
    /// Runs a command of the service, once its arguments are added.
    command: ProcessSpec,
    /// The data folders of Prometheus and Alertmanager.
    data: [PathBuf; 2],
}

impl NativeStack {
    pub(super) async fn start(
        context: &StackContext<'_>,
        options: &NativeOptions,
        ports: &mut PortAllocator,
    ) -> Result<Self> {
        let &StackContext { addresses, folder, .. } = context;
        let heartbeat_timeout = context.speed.divide(receiver::DEFAULT_TIMEOUT);
        let receiver = Receiver::start(addresses.receiver, heartbeat_timeout).await?;
        let (collector_address, spans) = (ports.allocate()?, Spans::default());
        let collector = Collector::start(collector_address, spans.clone())?;
        let postgres = Postgres::create(&options.postgres).await?;
        let redis_address = ports.allocate()?;
        let redis =
            ManagedProcess::start(redis::spec(redis_address, folder)?, ReadinessProbe::Redis(redis_address))
                .await?;

        let service = ServiceSpecs {
            binary: &options.binary,
            postgres: &postgres,
            redis: redis_address,
            collector: collector_address,
            addresses,
            folder,
        };
        service.migrate()?.run(MIGRATION_TIMEOUT).await?;
        service.seed()?.run(MIGRATION_TIMEOUT).await?;
        let command = service.command()?;
        let start = async |process| {
            let ready = format!("http://{}/health/ready", addresses.management(process));
            ManagedProcess::start(service.process(process)?, ReadinessProbe::Http(ready)).await
        };
        let (gateway, worker) = (start(Process::Gateway).await?, start(Process::Worker).await?);
        let api = start(Process::Api).await?;

        let probe = |address| ReadinessProbe::Http(format!("http://{address}/-/ready"));
        let alertmanager =
            ManagedProcess::start(alertmanager::spec(context)?, probe(addresses.alertmanager)).await?;
        let exporters = Exporters::start(context.project, postgres.service_url()?.parse()?, ports).await?;
        let front_door_address = ports.allocate()?;
        let front_door = FrontDoor::open(front_door_address, addresses.http).await?;
        let others = exporters.targets(
            addresses.prometheus,
            addresses.alertmanager,
            front_door_address,
            addresses.http,
        );
        let targets = Process::ALL.map(|process| (process, vec![addresses.management(process)]));
        let monitoring = PrometheusOptions {
            project: context.project,
            speed: context.speed,
            address: addresses.prometheus,
            targets: &targets,
            others: Some(&others),
            alertmanager: Some(addresses.alertmanager),
        };
        let prometheus = ManagedProcess::start(monitoring.spec(folder)?, probe(addresses.prometheus)).await?;
        Ok(Self {
            prometheus,
            alertmanager,
            exporters,
            front_door,
            api,
            worker,
            gateway,
            redis,
            collector: Some(collector),
            collector_address,
            spans,
            receiver,
            disk: Disk::new(folder.join("disk")),
            postgres,
            k6: options.k6.clone(),
            command,
            data: [folder.join(prometheus::DATA), folder.join(alertmanager::DATA)],
        })
    }

    pub(super) async fn reset_alerting(&mut self) -> Result<()> {
        self.prometheus.stop();
        self.alertmanager.stop();
        for data in &self.data {
            std::fs::remove_dir_all(data).with_context(|| data.display().to_string())?;
        }
        self.alertmanager.restart().await?;
        self.prometheus.restart().await
    }

    pub(super) fn alertmanager_lines(&self, text: &str) -> Vec<String> {
        self.alertmanager.output().lines_with(text)
    }

    pub(super) fn has_log_record(&self, process: Process, event: &str, since: Instant) -> bool {
        self.output(process).last_event(event).is_some_and(|at| at >= since)
    }

    pub(super) fn has_span(&self, process: Process, span: &str, since: Instant) -> bool {
        self.spans.last(process.service(), span).is_some_and(|at| at >= since)
    }

    fn output(&self, process: Process) -> &Output {
        match process {
            Process::Api => self.api.output(),
            Process::Worker => self.worker.output(),
            Process::Gateway => self.gateway.output(),
        }
    }

    pub(super) async fn stop(&mut self, component: Component) -> Result<()> {
        match component {
            Component::Postgres => self.postgres.refuse_connections().await?,
            Component::Redis => self.redis.stop(),
            Component::Api => self.api.stop(),
            Component::Collector => {
                if let Some(collector) = self.collector.take() {
                    collector.stop().await?;
                }
            }
            Component::Alertmanager => self.alertmanager.stop(),
            Component::Receiver => self.receiver.stop().await,
            Component::Exporter => self.exporters.postgres.stop(),
            Component::FrontDoor => self.front_door.close(),
            Component::Disk => self.disk.fill()?,
            Component::Tempo => bail!("a stack of processes has no Tempo"),
        }
        Ok(())
    }

    pub(super) async fn restart(&mut self, component: Component) -> Result<()> {
        match component {
            Component::Postgres => self.postgres.allow_connections().await,
            Component::Redis => self.redis.restart().await,
            Component::Api => self.api.restart().await,
            Component::Collector if self.collector.is_some() => Ok(()),
            Component::Collector => {
                self.collector = Some(Collector::start(self.collector_address, self.spans.clone())?);
                Ok(())
            }
            Component::Alertmanager => self.alertmanager.restart().await,
            Component::Receiver => self.receiver.restart(),
            Component::Exporter => self.exporters.postgres.restart().await,
            Component::FrontDoor => self.front_door.reopen().await,
            Component::Disk => self.disk.free(),
            Component::Tempo => Ok(()),
        }
    }

    pub(super) async fn run_command(&self, arguments: &[&str]) -> Result<()> {
        let command =
            arguments.iter().fold(self.command.clone(), |command, argument| command.argument(argument));
        command.run(COMMAND_TIMEOUT).await?;
        Ok(())
    }

    pub(super) fn exit_report(&mut self) -> Result<Option<String>> {
        let Self { prometheus, alertmanager, exporters, api, worker, gateway, redis, .. } = self;
        let processes = [prometheus, alertmanager, api, worker, gateway, redis];
        for process in processes.into_iter().chain(exporters.all()) {
            if let Some(report) = process.exit_report()? {
                return Ok(Some(report));
            }
        }
        Ok(None)
    }

    pub(super) fn scenario_command(
        &self,
        options: &Options,
        addresses: &Addresses,
        scenario: &str,
        duration: Option<Duration>,
    ) -> ScenarioCommand {
        let mut run =
            ProcessSpec::new("k6", &self.k6).argument("run").argument("--no-color").argument("--quiet");
        run = run.argument("--address").argument(addresses.k6.to_string());
        run = run.argument(options.project.scenario(scenario));
        run.environment.extend(environment(options, addresses));
        run.environment.insert("K6_NO_USAGE_REPORT", "true".to_owned());
        run.environment.extend(duration.map(|duration| ("DURATION", format!("{}s", duration.as_secs()))));
        ScenarioCommand { run, interrupt: None }
    }

    pub(super) fn scenario_command_line(&self, options: &Options, addresses: &Addresses) -> String {
        let variables = environment(options, addresses).map(|(name, value)| format!("{name}={value}"));
        format!("{} {} run load-tests/scenarios/smoke.js", variables.join(" "), self.k6.display())
    }
}

/// The environment variables of a scenario.
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
