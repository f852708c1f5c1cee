//! The stack that drills run on: that of `docker-compose.yml` in containers, or real processes on this machine.
//! Either listens on free ports of the loopback address, and ends with the drill, whatever ends that.

mod addresses;
mod child;
mod compose;
mod configuration;
mod native;
mod platform;
mod ports;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use tempfile::TempDir;

use crate::alertmanager_api::AlertmanagerApi;
use crate::catalogue::{Part, Process};
use crate::project::Project;
use crate::receiver::ReceiverApi;
use crate::speed::Speed;
use crate::watch::PrometheusApi;

pub use addresses::Addresses;
pub(crate) use child::Launch;
pub use child::{Child, Output, find_program};
use compose::Compose;
use native::Native;
pub use platform::{Containers, Platform, Processes, docker_is_there};
use ports::Ports;

/// What makes one process of the service small enough for a scenario to bring it to its limits, on two cores.
const LIMITS: [(&str, &str); 6] = [
    ("DATABASE_POOL_SIZE", "10"),
    ("GLASSHOUSE_ARGON2_MEMORY_KIB", "64"),
    ("GLASSHOUSE_ARGON2_PASSES", "1"),
    ("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", "32"),
    ("GLASSHOUSE_MEMORY_LIMIT_MIB", "512"),
    ("GLASSHOUSE_TOKEN_SECONDS", "7200"),
];

/// What a stack is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where rules, configurations and the Compose file are.
    pub project: Project,
    /// By how much their durations are divided.
    pub speed: Speed,
    /// What it runs on.
    pub platform: Platform,
}

/// A running stack. Its parts end when it is dropped, and then the folder of their files.
pub struct Stack {
    options: Options,
    addresses: Addresses,
    prometheus: PrometheusApi,
    alertmanager: AlertmanagerApi,
    receiver: ReceiverApi,
    parts: Parts,
    _folder: TempDir,
}

/// What runs.
enum Parts {
    Native(Box<Native>),
    Compose(Box<Compose>),
}

/// How a scenario is run.
pub(crate) struct Player {
    /// The process of k6, or the one that shows what k6 says in its container.
    pub(crate) launch: Launch,
    /// What interrupts it, where a signal to that process does not.
    pub(crate) interrupt: Option<Launch>,
}

impl Stack {
    /// Starts everything and waits until it is ready. `progress` is told what takes long.
    pub async fn start(options: Options, progress: &dyn Fn(&str)) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("glasshouse-drill.").tempdir()?;
        let mut ports = Ports::default();
        let addresses = Addresses::free(&mut ports)?;
        let setting = Setting {
            project: &options.project,
            speed: options.speed,
            addresses: &addresses,
            folder: folder.path(),
        };
        let parts = match &options.platform {
            Platform::Native(processes) => {
                Parts::Native(Box::new(Native::start(&setting, processes, &mut ports).await?))
            }
            Platform::Compose(containers) => {
                Parts::Compose(Box::new(Compose::start(&setting, containers, &mut ports, progress).await?))
            }
        };
        Ok(Self {
            prometheus: PrometheusApi::new(addresses.prometheus),
            alertmanager: AlertmanagerApi::new(addresses.alertmanager),
            receiver: ReceiverApi::new(addresses.receiver),
            options,
            addresses,
            parts,
            _folder: folder,
        })
    }

    /// Starts Prometheus and Alertmanager anew, without any memory: the burn rates look back for hours, and
    /// should not see what was done before.
    pub async fn forget(&mut self) -> Result<()> {
        match &mut self.parts {
            Parts::Native(native) => native.forget().await,
            Parts::Compose(compose) => compose.forget().await,
        }
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
        &self.prometheus
    }

    /// Alertmanager.
    pub fn alertmanager(&self) -> &AlertmanagerApi {
        &self.alertmanager
    }

    /// Where Alertmanager delivers to.
    pub fn receiver(&self) -> &ReceiverApi {
        &self.receiver
    }

    /// Of the last lines that Alertmanager wrote, those with an error.
    pub async fn alertmanager_errors(&self) -> Result<Vec<String>> {
        let with = "err=";
        match &self.parts {
            Parts::Native(native) => Ok(native.alertmanager_lines(with)),
            Parts::Compose(compose) => compose.alertmanager_lines(with).await,
        }
    }

    /// Whether a process has logged this event since then.
    pub async fn has_logged(&self, process: Process, event: &str, since: Instant) -> Result<bool> {
        match &self.parts {
            Parts::Native(native) => Ok(native.has_logged(process, event, since)),
            Parts::Compose(compose) => compose.has_logged(process, event, since).await,
        }
    }

    /// Whether a span of this name has come from a process since then.
    pub async fn has_traced(&self, process: Process, span: &str, since: Instant) -> Result<bool> {
        match &self.parts {
            Parts::Native(native) => Ok(native.has_traced(process, span, since)),
            Parts::Compose(compose) => compose.has_traced(process, span, since).await,
        }
    }

    /// Stops a part, at once and without a farewell.
    pub async fn stop(&mut self, part: Part) -> Result<()> {
        match &mut self.parts {
            Parts::Native(native) => native.stop(part).await,
            Parts::Compose(compose) => compose.stop(part).await,
        }
    }

    /// Starts a part anew, and waits until it is ready.
    pub async fn start_again(&mut self, part: Part) -> Result<()> {
        match &mut self.parts {
            Parts::Native(native) => native.start_again(part).await,
            Parts::Compose(compose) => compose.start_again(part).await,
        }
    }

    /// Stops the receiver of notifications, for good.
    pub async fn stop_receiver(&mut self) -> Result<()> {
        match &mut self.parts {
            Parts::Native(native) => native.stop_receiver().await,
            Parts::Compose(compose) => compose.stop_receiver().await,
        }
    }

    /// The first part that has ended although nobody stopped it, with its last lines.
    pub async fn casualty(&mut self) -> Result<Option<String>> {
        match &mut self.parts {
            Parts::Native(native) => native.casualty(),
            Parts::Compose(compose) => compose.casualty().await,
        }
    }

    /// How k6 runs a scenario against this stack. The load lasts as long as the script says, or `lasting`.
    pub(crate) async fn player(&self, scenario: &str, lasting: Option<Duration>) -> Result<Player> {
        match &self.parts {
            Parts::Native(native) => Ok(native.player(&self.options, &self.addresses, scenario, lasting)),
            Parts::Compose(compose) => compose.player(scenario, lasting).await,
        }
    }

    /// How a person runs a scenario against this stack.
    pub fn how_to_run_a_scenario(&self) -> String {
        match &self.parts {
            Parts::Native(native) => native.how_to_run_a_scenario(&self.options, &self.addresses),
            Parts::Compose(compose) => compose.how_to_run_a_scenario(),
        }
    }
}

/// What both kinds of stack are started with.
struct Setting<'a> {
    project: &'a Project,
    speed: Speed,
    addresses: &'a Addresses,
    folder: &'a Path,
}
