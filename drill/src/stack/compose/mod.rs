//! A stack of the containers of `docker-compose.yml`, as a Compose project of its own.

mod compose_file;
mod docker;
mod events;
mod guard;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use url::Url;

use super::options::StackContext;
use super::output::Output;
use super::platform::ComposeOptions;
use super::ports::PortAllocator;
use super::scenario::ScenarioCommand;
use super::telemetry_stores::TelemetryStores;
use crate::catalogue::Component;
use crate::polling::poll_until;
use crate::project::Project;
use compose_file::Overrides;
use docker::Docker;
use events::ContainerEvents;
use guard::RemovalGuard;

/// The timeout of a command that needs no image.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);
/// The timeout until all services are healthy, which includes pulling images over a slow network.
const START_TIMEOUT: Duration = Duration::from_secs(1800);
/// The timeout of the release build of the image on a small machine.
const BUILD_TIMEOUT: Duration = Duration::from_secs(3600);
/// The port of k6's REST API in its container.
const K6_PORT: u16 = 6565;

/// A running stack. Dropping it removes the containers, networks and volumes.
pub(super) struct ComposeStack {
    docker: Docker,
    /// The same containers without published ports.
    replicas: Docker,
    project: Project,
    events: ContainerEvents,
    stores: TelemetryStores,
    /// The services that a drill has stopped.
    stopped: BTreeSet<String>,
    /// The readiness URLs of Prometheus and Alertmanager.
    ready_urls: [String; 2],
    /// Where the port of k6 is published.
    k6_address: SocketAddr,
    _guard: RemovalGuard,
}

impl ComposeStack {
    pub(super) async fn start(
        context: &StackContext<'_>,
        options: &ComposeOptions,
        ports: &mut PortAllocator,
        progress: &dyn Fn(&str),
    ) -> Result<Self> {
        let &StackContext { project, speed, addresses, folder, .. } = context;
        let (tempo, loki) = (ports.allocate()?, ports.allocate()?);
        let stores = [("tempo", 3200, tempo), ("loki", 3100, loki)];
        let compose = project.compose()?;
        let stores = stores.map(|(service, port, address)| (service.to_owned(), port, address));
        let published = compose_file::published(compose, addresses)?.into_iter().chain(stores).collect();
        let image = options.image.as_deref();
        let files = Overrides { project, compose, speed, published, image, folder }.write()?;
        let name = format!("{}-drill-{}", project.config().name, uuid::Uuid::now_v7().simple());
        let docker = Docker::new(name, files.stack, project.root())?;

        let guard = RemovalGuard::new(&docker)?;
        if image.is_none() {
            progress("building the image, which takes minutes after large changes");
            let mut build = docker.compose(["build", &compose.build]);
            build.shows_output = true;
            build.run(BUILD_TIMEOUT).await.context("the image")?;
        }
        progress("starting the containers; missing images are pulled first");
        let up = ["up", "--detach", "--wait", "--quiet-pull"].into_iter();
        let up = up.chain(compose.services.iter().map(String::as_str));
        let mut events = ContainerEvents::listen(&docker)?;
        if let Err(error) = docker.compose(up).run(START_TIMEOUT).await {
            // Compose names the unhealthy service, but not the cause.
            let last = exit_report(&docker, project, &mut events, &BTreeSet::new()).await?;
            let last = last.unwrap_or_default();
            bail!("{error:#}\n{last}");
        }
        for service in &compose.setup {
            let run = docker.compose(["run", "--rm", "--no-TTY", service]);
            run.run(COMMAND_TIMEOUT).await.with_context(|| service.clone())?;
        }
        let url = |address| anyhow::Ok(Some(Url::parse(&format!("http://{address}"))?));
        let stores = TelemetryStores { tempo: url(tempo)?, loki: url(loki)?, http: reqwest::Client::new() };
        Ok(Self {
            events,
            stores,
            project: project.clone(),
            stopped: BTreeSet::new(),
            ready_urls: [addresses.prometheus, addresses.alertmanager]
                .map(|address| format!("http://{address}/-/ready")),
            k6_address: addresses.k6,
            replicas: docker.with_file(files.replicas),
            docker,
            _guard: guard,
        })
    }

    pub(super) async fn reset_alerting(&mut self) -> Result<()> {
        // Their data is in a tmpfs, which is empty after a restart.
        let restart = ["restart", "--timeout", "1", "alertmanager", "prometheus"];
        self.docker.compose(restart).run(COMMAND_TIMEOUT).await?;
        for url in &self.ready_urls {
            let ready = poll_until(COMMAND_TIMEOUT, async || {
                let response = reqwest::get(url).await;
                Ok(response.is_ok_and(|response| response.status().is_success()).then_some(()))
            });
            ready.await?.with_context(|| format!("{url} is not ready within {COMMAND_TIMEOUT:?}"))?;
        }
        Ok(())
    }

    pub(super) async fn alertmanager_lines(&self, text: &str) -> Result<Vec<String>> {
        Ok(log_of(&self.docker, "alertmanager", "200").await?.lines_with(text))
    }

    pub(super) fn stores(&self) -> &TelemetryStores {
        &self.stores
    }

    pub(super) async fn stop(&mut self, component: &Component) -> Result<()> {
        match component {
            Component::FrontDoor => self.edge_network("disconnect").await,
            _ => self.kill(service_of_component(component)?).await,
        }
    }

    pub(super) async fn run_command(&self, arguments: &[&str]) -> Result<()> {
        let remedy = self.project.config().remedy.as_ref().context("the project has no [remedy]")?;
        let exec = ["exec", "--no-TTY", &remedy.process].into_iter();
        let exec = exec.chain(remedy.in_container.iter().map(String::as_str));
        self.docker.compose(exec.chain(arguments.iter().copied())).run(COMMAND_TIMEOUT).await?;
        Ok(())
    }

    async fn kill(&mut self, service: &str) -> Result<()> {
        self.stopped.insert(service.to_owned());
        self.docker.compose(["kill", service]).run(COMMAND_TIMEOUT).await?;
        Ok(())
    }

    /// Connects the blackbox exporter to the network of customers, or disconnects it.
    async fn edge_network(&self, command: &str) -> Result<()> {
        let project = self.docker.project();
        let (network, container) = (format!("{project}_edge"), format!("{project}-blackbox-exporter-1"));
        self.docker.command(["network", command, &network, &container]).run(COMMAND_TIMEOUT).await?;
        Ok(())
    }

    pub(super) async fn restart(&mut self, component: &Component) -> Result<()> {
        if *component == Component::FrontDoor {
            return self.edge_network("connect").await;
        }
        let service = service_of_component(component)?;
        let up = ["up", "--detach", "--wait", "--no-deps", "--no-recreate", service];
        self.docker.compose(up).run(COMMAND_TIMEOUT).await?;
        self.stopped.remove(service);
        Ok(())
    }

    /// Gives a process this many replicas. The first one stays, with the published ports.
    pub(super) async fn scale(&self, process: &str, replicas: u32) -> Result<()> {
        let scale = format!("{process}={replicas}");
        let up = ["up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", &scale, process];
        self.replicas.compose(up).run(COMMAND_TIMEOUT).await?;
        Ok(())
    }

    pub(super) async fn exit_report(&mut self) -> Result<Option<String>> {
        let Self { docker, project, events, stopped, .. } = self;
        exit_report(docker, project, events, stopped).await
    }

    pub(super) async fn scenario_command(
        &self,
        scenario: &str,
        duration: Option<Duration>,
    ) -> Result<ScenarioCommand> {
        let container = self.k6_container();
        // A container of an earlier run that did not exit in time would have the same name.
        self.docker.command(["rm", "--force", &container]).run(COMMAND_TIMEOUT).await?;
        let duration = duration.map(|duration| format!("DURATION={}s", duration.as_secs()));
        let (address, script) = (format!("0.0.0.0:{K6_PORT}"), format!("/scenarios/{scenario}.js"));
        let port = format!("{}:{K6_PORT}", self.k6_address);
        let run = ["run", "--rm", "--no-deps", "--no-TTY", "--name", &container, "--publish", &port];
        let duration = duration.iter().flat_map(|duration| ["--env", duration]);
        let k6 = ["k6", "run", "--no-color", "--quiet", "--address", &address, &script];
        let run = self.docker.compose(run.into_iter().chain(duration).chain(k6));
        let interrupt = Some(self.docker.command(["kill", "--signal", "INT", &container]));
        let status_url = Some(format!("http://{}/v1/status", self.k6_address));
        Ok(ScenarioCommand { run, interrupt, status_url })
    }

    fn k6_container(&self) -> String {
        format!("{}-k6", self.docker.project())
    }

    pub(super) fn scenario_command_line(&self, scenario: &str) -> String {
        let script = format!("/scenarios/{scenario}.js");
        let run = self.docker.compose(["run", "--rm", "k6", "run", &script]);
        let arguments = run.arguments.iter().map(|argument| argument.to_string_lossy());
        format!("docker {}", arguments.collect::<Vec<_>>().join(" "))
    }
}

/// The exit code and last lines of the first service that has exited without being stopped.
async fn exit_report(
    docker: &Docker,
    project: &Project,
    events: &mut ContainerEvents,
    stopped: &BTreeSet<String>,
) -> Result<Option<String>> {
    let mut exited = events.exited()?;
    let services = &project.compose()?.services;
    exited.retain(|service, _| services.contains(service) && !stopped.contains(service));
    let Some((service, exit_code)) = exited.pop_first() else { return Ok(None) };
    let last = log_of(docker, &service, "10").await?.tail(10);
    Ok(Some(format!("{service} exited ({exit_code}):\n{last}")))
}

async fn log_of(docker: &Docker, service: &str, lines: &str) -> Result<Output> {
    docker
        .compose(["logs", "--no-color", "--no-log-prefix", "--tail", lines, service])
        .run(COMMAND_TIMEOUT)
        .await
}

fn service_of_component(component: &Component) -> Result<&str> {
    Ok(match component {
        Component::Postgres => "postgres",
        Component::Redis => "redis",
        Component::Process(name) => name,
        Component::Collector => "otel-collector",
        Component::Alertmanager => "alertmanager",
        Component::Receiver => "alert-receiver",
        Component::Exporter => "postgres-exporter",
        Component::FrontDoor => "blackbox-exporter",
        Component::Tempo => "tempo",
        Component::Disk => bail!("a drill on containers fills no disk: it would be that of this machine"),
    })
}
