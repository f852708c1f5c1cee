//! The stack that drills run on: the containers of `docker-compose.yml`, or processes on this machine.
//!
//! Either listens on free ports of the loopback interface, and ends when the drill ends, whatever ends the drill.

mod addresses;
mod compose;
mod monitoring_config;
mod native;
mod options;
mod output;
mod platform;
mod ports;
mod process;

use std::time::{Duration, Instant};

use anyhow::Result;
use tempfile::TempDir;

use crate::alertmanager_api::AlertmanagerApi;
use crate::catalogue::{Component, Process};
use crate::prometheus_api::PrometheusApi;
use crate::receiver::ReceiverApi;

pub use addresses::Addresses;
use compose::ComposeStack;
use native::NativeStack;
pub use native::{Collector, OtherTargets, PrometheusOptions, SpanKind, Spans, redis, service_defaults};
pub use options::Options;
use options::StackContext;
pub use output::{Output, RecordKind, Records};
pub use platform::{ComposeOptions, NativeOptions, Platform, is_docker_available};
pub use ports::PortAllocator;
pub(crate) use process::ScenarioCommand;
pub use process::{Child, ProcessSpec, find_program};

/// A running stack. Dropping it stops all components and removes their files.
pub struct Stack {
    options: Options,
    addresses: Addresses,
    prometheus: PrometheusApi,
    alertmanager: AlertmanagerApi,
    receiver: ReceiverApi,
    components: Components,
    _folder: TempDir,
}

enum Components {
    Native(Box<NativeStack>),
    Compose(Box<ComposeStack>),
}

impl Stack {
    /// Starts all components and waits until they are ready. `progress` is called before steps that take long.
    pub async fn start(options: Options, progress: &dyn Fn(&str)) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("glasshouse-drill.").tempdir()?;
        let mut ports = PortAllocator::default();
        let addresses = Addresses::allocate(&mut ports)?;
        let context = StackContext {
            project: &options.project,
            speed: options.speed,
            addresses: &addresses,
            folder: folder.path(),
        };
        let components = match &options.platform {
            Platform::Native(native) => {
                Components::Native(Box::new(NativeStack::start(&context, native, &mut ports).await?))
            }
            Platform::Compose(compose) => Components::Compose(Box::new(
                ComposeStack::start(&context, compose, &mut ports, progress).await?,
            )),
        };
        Ok(Self {
            prometheus: PrometheusApi::new(addresses.prometheus),
            alertmanager: AlertmanagerApi::new(addresses.alertmanager),
            receiver: ReceiverApi::new(addresses.receiver),
            options,
            addresses,
            components,
            _folder: folder,
        })
    }

    /// Restarts Prometheus and Alertmanager with empty storage, because the windows of burn rates would include earlier
    /// faults.
    pub async fn reset_alerting(&mut self) -> Result<()> {
        match &mut self.components {
            Components::Native(native) => native.reset_alerting().await,
            Components::Compose(compose) => compose.reset_alerting().await,
        }
    }

    /// The options that the stack was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The addresses of its servers.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The client of Prometheus.
    pub fn prometheus(&self) -> &PrometheusApi {
        &self.prometheus
    }

    /// The client of Alertmanager.
    pub fn alertmanager(&self) -> &AlertmanagerApi {
        &self.alertmanager
    }

    /// The client of the webhook receiver that Alertmanager delivers to.
    pub fn receiver(&self) -> &ReceiverApi {
        &self.receiver
    }

    /// The recent log lines of Alertmanager with an error.
    pub async fn alertmanager_errors(&self) -> Result<Vec<String>> {
        let error_field = "err=";
        match &self.components {
            Components::Native(native) => Ok(native.alertmanager_lines(error_field)),
            Components::Compose(compose) => compose.alertmanager_lines(error_field).await,
        }
    }

    /// Whether a process has logged this event since `since`.
    pub async fn has_log_record(&self, process: Process, event: &str, since: Instant) -> Result<bool> {
        match &self.components {
            Components::Native(native) => Ok(native.has_log_record(process, event, since)),
            Components::Compose(compose) => compose.has_log_record(process, event, since).await,
        }
    }

    /// Whether a process has exported a span with this name since `since`.
    pub async fn has_span(&self, process: Process, span: &str, since: Instant) -> Result<bool> {
        match &self.components {
            Components::Native(native) => Ok(native.has_span(process, span, since)),
            Components::Compose(compose) => compose.has_span(process, span, since).await,
        }
    }

    /// Kills a component.
    pub async fn stop(&mut self, component: Component) -> Result<()> {
        match &mut self.components {
            Components::Native(native) => native.stop(component).await,
            Components::Compose(compose) => compose.stop(component).await,
        }
    }

    /// Restarts a component and waits until it is ready.
    pub async fn restart(&mut self, component: Component) -> Result<()> {
        match &mut self.components {
            Components::Native(native) => native.restart(component).await,
            Components::Compose(compose) => compose.restart(component).await,
        }
    }

    /// Runs a command of the service, with the settings of the worker.
    pub async fn run_command(&self, arguments: &[&str]) -> Result<()> {
        match &self.components {
            Components::Native(native) => native.run_command(arguments).await,
            Components::Compose(compose) => compose.run_command(arguments).await,
        }
    }

    /// The exit status and last lines of the first component that has exited without being stopped; `None` if all run.
    pub async fn exit_report(&mut self) -> Result<Option<String>> {
        match &mut self.components {
            Components::Native(native) => native.exit_report(),
            Components::Compose(compose) => compose.exit_report().await,
        }
    }

    /// The command that runs a scenario against this stack. The steady phase of the load lasts `duration`, or as long as
    /// the script defines.
    pub(crate) async fn scenario_command(
        &self,
        scenario: &str,
        duration: Option<Duration>,
    ) -> Result<ScenarioCommand> {
        match &self.components {
            Components::Native(native) => {
                Ok(native.scenario_command(&self.options, &self.addresses, scenario, duration))
            }
            Components::Compose(compose) => compose.scenario_command(scenario, duration).await,
        }
    }

    /// A shell command that runs a scenario against this stack.
    pub fn scenario_command_line(&self) -> String {
        match &self.components {
            Components::Native(native) => native.scenario_command_line(&self.options, &self.addresses),
            Components::Compose(compose) => compose.scenario_command_line(),
        }
    }
}
