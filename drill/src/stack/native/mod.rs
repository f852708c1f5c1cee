//! A stack of processes on this machine. The OTLP receiver and the webhook receiver run in the drill itself.

mod alertmanager;
mod collector;
mod disk;
mod exporters;
mod files;
mod front_door;
mod functions;
mod managed_process;
mod postgres;
mod prometheus;
pub mod redis;
mod service;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use url::Url;

use super::options::StackContext;
use super::platform::NativeOptions;
use super::ports::PortAllocator;
use super::process::ProcessSpec;
use super::scenario::{LocalScenarios, ScenarioCommand};
use crate::catalogue::Component;
use crate::project::{Project, SECRET};
use crate::receiver::{self, Receiver, Runbooks};
use crate::template::Values;
pub use collector::{Collector, SpanKind, Spans};
use disk::Disk;
use exporters::Exporters;
use front_door::FrontDoor;
use managed_process::{ManagedProcess, ReadinessProbe};
use postgres::Postgres;
pub use postgres::role_defaults;
pub use prometheus::{OtherTargets, PrometheusOptions};
use service::Service;

/// The timeout of a command that prepares the stack, such as a migration.
const SETUP_TIMEOUT: Duration = Duration::from_secs(120);

/// The timeout of a remedy.
const REMEDY_TIMEOUT: Duration = Duration::from_secs(60);

/// A running stack. Dropping it kills the processes in the order of these fields: clients before servers.
pub(super) struct NativeStack {
    prometheus: ManagedProcess,
    alertmanager: ManagedProcess,
    exporters: Exporters,
    front_door: Option<FrontDoor>,
    /// The processes of the service.
    processes: Vec<ServiceProcess>,
    redis: Option<ManagedProcess>,
    collector: Option<Collector>,
    collector_address: SocketAddr,
    spans: Spans,
    receiver: Receiver,
    disk: Disk,
    postgres: Option<Postgres>,
    scenarios: LocalScenarios,
    /// Runs a remedy, once its words are added.
    remedy: Option<ProcessSpec>,
    /// The data folders of Prometheus and Alertmanager.
    data: [PathBuf; 2],
    /// Shell functions for its processes; `None` in the stack of a drill.
    functions: Option<String>,
}

/// A process of the service.
struct ServiceProcess {
    name: String,
    /// Its name in log records.
    service: String,
    process: ManagedProcess,
}

impl NativeStack {
    /// Starts everything that the project needs, and adds the values of its placeholders.
    pub(super) async fn start(
        context: &StackContext<'_>,
        options: &NativeOptions,
        values: &mut Values,
        ports: &mut PortAllocator,
    ) -> Result<Self> {
        let &StackContext { project, speed, addresses, folder, logs } = context;
        let native = &project.config().native;
        let heartbeat_timeout = speed.divide(receiver::DEFAULT_TIMEOUT);
        let receiver = Receiver::start(addresses.receiver, heartbeat_timeout, Runbooks::of(project)).await?;
        let (collector_address, spans) = (ports.allocate()?, Spans::default());
        let collector = Collector::start(collector_address, spans.clone())?;
        values.set("otlp", collector_address);
        values.set("programs", options.programs.display());
        values.set("folder", folder.display());
        values.set(SECRET, format!("{:032x}", rand::random::<u128>()));
        let postgres = match &native.postgres {
            Some(roles) => Some(database(project, roles, options, values).await?),
            None => None,
        };
        let redis = if native.redis { Some(start_redis(context, values, ports).await?) } else { None };

        let service = Service { project, values, logs };
        for command in service.setup()? {
            command.run(SETUP_TIMEOUT).await?;
        }
        let mut processes = Vec::new();
        for process in project.processes() {
            let (name, service_name) = (process.name.clone(), process.service().to_owned());
            let process = service.start(process).await?;
            processes.push(ServiceProcess { name, service: service_name, process });
        }
        let remedy = service.remedy()?;

        let alertmanager =
            ManagedProcess::start(alertmanager::spec(context)?, server_probe(addresses.alertmanager), logs)
                .await?;
        let database = values.get("postgres.url").map(Url::parse).transpose()?;
        let mut exporters = Exporters::start(project, database, ports, logs).await?;
        let front_door = match &native.front_door {
            Some(door) => {
                let (address, target) = (ports.allocate()?, addresses.port(&door.to)?);
                exporters.probe(address, target, &door.path);
                Some(FrontDoor::open(address, target).await?)
            }
            None => None,
        };
        let others = exporters.targets(addresses.prometheus, addresses.alertmanager);
        let mut targets = Vec::new();
        for process in project.processes() {
            targets.push((process.service(), vec![addresses.port(&process.metrics())?]));
        }
        let monitoring = PrometheusOptions {
            project,
            speed,
            address: addresses.prometheus,
            targets: &targets,
            others: Some(&others),
            alertmanager: Some(addresses.alertmanager),
        };
        let prometheus =
            ManagedProcess::start(monitoring.spec(folder)?, server_probe(addresses.prometheus), logs).await?;
        let server = options.postgres_server.as_ref().filter(|_| postgres.is_some());
        let functions = logs.map(|folder| functions::write(folder, server)).transpose()?;
        Ok(Self {
            prometheus,
            alertmanager,
            exporters,
            front_door,
            processes,
            redis,
            collector: Some(collector),
            collector_address,
            spans,
            receiver,
            disk: Disk::new(folder.join("disk")),
            postgres,
            scenarios: LocalScenarios::new(project, speed, options.k6.clone(), addresses.k6, values)?,
            remedy,
            data: [folder.join(prometheus::DATA), folder.join(alertmanager::DATA)],
            functions,
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

    pub(super) fn has_log_record(&self, service: &str, event: &str, since: Instant) -> bool {
        let mut processes = self.processes.iter().filter(|process| process.service == service);
        processes.any(|process| process.process.output().last_event(event).is_some_and(|at| at >= since))
    }

    pub(super) fn has_span(&self, service: &str, span: &str, since: Instant) -> bool {
        self.spans.last(service, span).is_some_and(|at| at >= since)
    }

    pub(super) async fn stop(&mut self, component: &Component) -> Result<()> {
        match component {
            Component::Postgres => self.postgres.as_ref().context(NO_COMPONENT)?.refuse_connections().await?,
            Component::Collector => {
                if let Some(collector) = self.collector.take() {
                    collector.stop().await?;
                }
            }
            Component::Receiver => self.receiver.stop().await,
            Component::FrontDoor => self.front_door.as_mut().context(NO_COMPONENT)?.close(),
            Component::Disk => self.disk.fill()?,
            _ => self.managed(component)?.stop(),
        }
        Ok(())
    }

    pub(super) async fn restart(&mut self, component: &Component) -> Result<()> {
        match component {
            Component::Postgres => self.postgres.as_ref().context(NO_COMPONENT)?.allow_connections().await,
            Component::Collector if self.collector.is_some() => Ok(()),
            Component::Collector => {
                self.collector = Some(Collector::start(self.collector_address, self.spans.clone())?);
                Ok(())
            }
            Component::Receiver => self.receiver.restart(),
            Component::FrontDoor => self.front_door.as_mut().context(NO_COMPONENT)?.reopen().await,
            Component::Disk => self.disk.free(),
            _ => self.managed(component)?.restart().await,
        }
    }

    /// A component that is a process.
    fn managed(&mut self, component: &Component) -> Result<&mut ManagedProcess> {
        let found = match component {
            Component::Process(name) => {
                let mut processes = self.processes.iter_mut();
                processes.find(|process| process.name == *name).map(|process| &mut process.process)
            }
            Component::Redis => self.redis.as_mut(),
            Component::Alertmanager => Some(&mut self.alertmanager),
            Component::Exporter => self.exporters.postgres.as_mut(),
            _ => None,
        };
        found.with_context(|| format!("{component}: {NO_COMPONENT}"))
    }

    pub(super) async fn run_command(&self, arguments: &[&str]) -> Result<()> {
        let remedy = self.remedy.clone().context("the project has no [remedy]")?;
        let command = arguments.iter().fold(remedy, |command, argument| command.argument(argument));
        command.run(REMEDY_TIMEOUT).await?;
        Ok(())
    }

    pub(super) fn exit_report(&mut self) -> Result<Option<String>> {
        for process in self.all_managed() {
            if let Some(report) = process.exit_report()? {
                return Ok(Some(report));
            }
        }
        Ok(None)
    }

    /// Starts again what has exited, unless it is to stay down, and reports it. Only for a stack that people look at.
    pub(super) async fn supervise(&mut self, report: &dyn Fn(&str)) -> Result<()> {
        for process in self.all_managed() {
            process.supervise(report).await?;
        }
        Ok(())
    }

    /// All components that are processes.
    fn all_managed(&mut self) -> impl Iterator<Item = &mut ManagedProcess> {
        let Self { prometheus, alertmanager, exporters, processes, redis, .. } = self;
        let service = processes.iter_mut().map(|process| &mut process.process);
        let servers = [prometheus, alertmanager].into_iter().chain(redis);
        servers.chain(service).chain(exporters.all())
    }

    /// Shell functions that read and change its processes; `None` in the stack of a drill.
    pub(super) fn functions(&self) -> Option<&str> {
        self.functions.as_deref()
    }

    pub(super) fn scenario_command(
        &self,
        project: &Project,
        scenario: &str,
        duration: Option<Duration>,
    ) -> Result<ScenarioCommand> {
        self.scenarios.command(project, scenario, duration)
    }

    pub(super) fn scenario_command_line(&self, project: &Project, scenario: &str) -> Option<String> {
        self.scenarios.command_line(project, scenario)
    }
}

/// The problem with a component that a stack of processes lacks.
const NO_COMPONENT: &str = "this stack of processes has no such component";

fn server_probe(address: SocketAddr) -> ReadinessProbe {
    ReadinessProbe::Http(format!("http://{address}/-/ready"))
}

async fn database(
    project: &Project,
    roles: &crate::project::Postgres,
    options: &NativeOptions,
    values: &mut Values,
) -> Result<Postgres> {
    let server = options.postgres.as_ref();
    let server =
        server.context("TEST_DATABASE_URL is not set: `make drills` starts a Postgres and sets it")?;
    let postgres = Postgres::create(server, project, roles).await?;
    values.set("postgres.url", postgres.service_url()?);
    values.set("postgres.owner_url", postgres.owner_url()?);
    values.set("postgres.superuser_url", postgres.superuser_url());
    Ok(postgres)
}

async fn start_redis(
    context: &StackContext<'_>,
    values: &mut Values,
    ports: &mut PortAllocator,
) -> Result<ManagedProcess> {
    let address = ports.allocate()?;
    values.set("redis", address);
    let spec = redis::spec(address, context.folder)?;
    ManagedProcess::start(spec, ReadinessProbe::Redis(address), context.logs).await
}
