//! The stack of `docker-compose.yml`, in containers of its own.

mod docker;
mod events;
mod file;
mod guard;
mod search;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::ports::Ports;
use super::{Containers, Output, Player, Setting};
use crate::catalogue::{Part, Process};
use crate::watch::until;
use docker::Docker;
use events::Events;
use file::{Changes, SERVICES, service_of};
use guard::Guard;
use search::Search;

/// How long one command may take that needs no image.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long all together may take until they are healthy, when images are fetched over a slow line.
const START: Duration = Duration::from_secs(1800);
/// How long the image may take to be built: in release mode, on a small machine.
const BUILD: Duration = Duration::from_secs(3600);
/// Where k6 listens in its container.
const K6_PORT: u16 = 6565;

/// Its containers are removed when it is dropped, in the end by the guard.
pub(super) struct Compose {
    docker: Docker,
    events: Events,
    search: Search,
    /// The services that were told to stop.
    stopped: BTreeSet<&'static str>,
    ready: [String; 2],
    k6_port: String,
    _guard: Guard,
}

impl Compose {
    pub(super) async fn start(
        setting: &Setting<'_>,
        containers: &Containers,
        ports: &mut Ports,
        progress: &dyn Fn(&str),
    ) -> Result<Self> {
        let &Setting { project, speed, addresses, folder } = setting;
        let (tempo, loki) = (ports.free()?, ports.free()?);
        let stores = [("tempo", 3200, tempo), ("loki", 3100, loki)];
        let published = file::published(addresses).into_iter().chain(stores).collect();
        let image = containers.image.as_deref();
        let file = Changes { project, speed, published, image, folder }.write()?;
        let name = format!("glasshouse-drill-{}", uuid::Uuid::now_v7().simple());
        let docker = Docker::new(name, file, project.root())?;

        let guard = Guard::of(&docker)?;
        if image.is_none() {
            progress("the image is built, which takes minutes when much has changed");
            let mut build = docker.compose(["build", "api"]);
            build.is_shown = true;
            build.run(BUILD).await.context("the image")?;
        }
        progress("the containers start; images that are missing are fetched first");
        let up = ["up", "--detach", "--wait", "--quiet-pull"].into_iter().chain(SERVICES);
        let mut events = Events::of(&docker)?;
        if let Err(error) = docker.compose(up).run(START).await {
            // Compose tells which one is not well, and not why.
            let last = epitaph(&docker, &mut events, &BTreeSet::new()).await?.unwrap_or_default();
            bail!("{error:#}\n{last}");
        }
        Ok(Self {
            events,
            search: Search { tempo, loki, http: reqwest::Client::new() },
            stopped: BTreeSet::new(),
            ready: [addresses.prometheus, addresses.alertmanager]
                .map(|address| format!("http://{address}/-/ready")),
            k6_port: format!("{}:{K6_PORT}", addresses.k6),
            docker,
            _guard: guard,
        })
    }

    pub(super) async fn forget(&mut self) -> Result<()> {
        // Their data lies in memory, and goes with the container's end.
        let restart = ["restart", "--timeout", "1", "alertmanager", "prometheus"];
        self.docker.compose(restart).run(PATIENCE).await?;
        for url in &self.ready {
            let ready = until(PATIENCE, async || {
                let answer = reqwest::get(url).await;
                Ok(answer.is_ok_and(|answer| answer.status().is_success()).then_some(()))
            });
            ready.await?.with_context(|| format!("{url} is not ready within {PATIENCE:?}"))?;
        }
        Ok(())
    }

    pub(super) async fn alertmanager_lines(&self, with: &str) -> Result<Vec<String>> {
        Ok(log_of(&self.docker, "alertmanager", "200").await?.lines_with(with))
    }

    pub(super) async fn has_logged(&self, process: Process, event: &str, since: Instant) -> Result<bool> {
        self.search.finds_line(process, event, since).await
    }

    pub(super) async fn has_traced(&self, process: Process, span: &str, since: Instant) -> Result<bool> {
        self.search.finds_span(process, span, since).await
    }

    pub(super) async fn stop(&mut self, part: Part) -> Result<()> {
        self.kill(service_with(part)).await
    }

    pub(super) async fn stop_receiver(&mut self) -> Result<()> {
        self.kill("alert-receiver").await
    }

    async fn kill(&mut self, service: &'static str) -> Result<()> {
        self.stopped.insert(service);
        self.docker.compose(["kill", service]).run(PATIENCE).await?;
        Ok(())
    }

    pub(super) async fn start_again(&mut self, part: Part) -> Result<()> {
        let service = service_with(part);
        let up = ["up", "--detach", "--wait", "--no-deps", "--no-recreate", service];
        self.docker.compose(up).run(PATIENCE).await?;
        self.stopped.remove(service);
        Ok(())
    }

    pub(super) async fn casualty(&mut self) -> Result<Option<String>> {
        let Self { docker, events, stopped, .. } = self;
        epitaph(docker, events, stopped).await
    }

    pub(super) async fn player(&self, scenario: &str, lasting: Option<Duration>) -> Result<Player> {
        let container = self.k6_container();
        // One that did not end in time would be in the way.
        self.docker.command(["rm", "--force", &container]).run(PATIENCE).await?;
        let lasting = lasting.map(|lasting| format!("DURATION={}s", lasting.as_secs()));
        let (address, script) = (format!("0.0.0.0:{K6_PORT}"), format!("/scenarios/{scenario}.js"));
        let run = ["run", "--rm", "--no-deps", "--no-TTY", "--name", &container, "--publish", &self.k6_port];
        let lasting = lasting.iter().flat_map(|lasting| ["--env", lasting]);
        let k6 = ["k6", "run", "--no-color", "--quiet", "--address", &address, &script];
        let launch = self.docker.compose(run.into_iter().chain(lasting).chain(k6));
        let interrupt = Some(self.docker.command(["kill", "--signal", "INT", &container]));
        Ok(Player { launch, interrupt })
    }

    fn k6_container(&self) -> String {
        format!("{}-k6", self.docker.project())
    }

    pub(super) fn how_to_run_a_scenario(&self) -> String {
        let run = self.docker.compose(["run", "--rm", "k6", "run", "/scenarios/smoke.js"]);
        let arguments = run.arguments.iter().map(|argument| argument.to_string_lossy());
        format!("docker {}", arguments.collect::<Vec<_>>().join(" "))
    }
}

/// The last lines of the first service that has ended although nobody stopped it.
async fn epitaph(
    docker: &Docker,
    events: &mut Events,
    stopped: &BTreeSet<&'static str>,
) -> Result<Option<String>> {
    let mut ended = events.ended()?;
    ended.retain(|service, _| SERVICES.contains(&service.as_str()) && !stopped.contains(service.as_str()));
    let Some((service, exit_code)) = ended.pop_first() else { return Ok(None) };
    let last = log_of(docker, &service, "10").await?.tail(10);
    Ok(Some(format!("{service} ended ({exit_code}):\n{last}")))
}

async fn log_of(docker: &Docker, service: &str, lines: &str) -> Result<Output> {
    docker.compose(["logs", "--no-color", "--no-log-prefix", "--tail", lines, service]).run(PATIENCE).await
}

fn service_with(part: Part) -> &'static str {
    match part {
        Part::Redis => "redis",
        Part::Api => service_of(Process::Api),
        Part::Collector => "otel-collector",
    }
}
