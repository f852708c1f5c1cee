//! The stack that drills run on: containers, processes on this machine, or a stack that runs already.
//!
//! The first two listen on free ports of the loopback interface, and end when the drill ends, whatever ends the drill.

mod addresses;
mod attached;
mod compose;
mod monitoring_config;
mod native;
mod options;
mod output;
mod platform;
mod ports;
mod process;
mod scenario;
mod telemetry_stores;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::alertmanager_api::AlertmanagerApi;
use crate::catalogue::Component;
use crate::project::Project;
use crate::prometheus_api::PrometheusApi;
use crate::receiver::ReceiverApi;
use crate::runbook_queries::{QueryLanguage, RunbookQuery};
use crate::template::Values;

use addresses::Addresses;
use attached::AttachedStack;
use compose::ComposeStack;
use native::NativeStack;
pub use native::{Collector, OtherTargets, PrometheusOptions, SpanKind, Spans, redis, role_defaults};
pub use options::Options;
use options::StackContext;
pub use output::{Output, RecordKind, Records};
pub use platform::{
    AttachedOptions, ComposeOptions, NativeOptions, Platform, PostgresServer, is_docker_available,
};
pub use ports::PortAllocator;
pub use process::{Child, Environment, ProcessSpec, find_program};
pub(crate) use scenario::ScenarioCommand;

/// A running stack. Dropping it stops all components that it has started, and removes their files.
pub struct Stack {
    options: Options,
    values: Values,
    prometheus: PrometheusApi,
    alertmanager: AlertmanagerApi,
    receiver: ReceiverApi,
    components: Components,
    shown: Option<ShownFiles>,
    /// Reserves the addresses, also while a component is stopped.
    _ports: PortAllocator,
    _folder: TempDir,
}

/// The files of a stack that people look at.
#[derive(Clone, Debug)]
pub struct ShownFiles {
    /// The folder with a log file of each process.
    pub logs: PathBuf,
    /// Shell functions: those for the processes, and those of the project.
    pub functions: PathBuf,
}

impl ShownFiles {
    /// Writes the functions, in those of the project of which `{logs}` has a value.
    fn write(
        logs: PathBuf,
        folder: &Path,
        functions: &str,
        project: &Project,
        values: &mut Values,
    ) -> Result<Self> {
        values.set("logs", logs.display());
        let file = folder.join("functions.sh");
        let text = format!("{functions}\n{}", values.expand(&project.config().shown.functions)?);
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
        Ok(Self { logs, functions: file })
    }
}

enum Components {
    Native(Box<NativeStack>),
    Compose(Box<ComposeStack>),
    Attached(Box<AttachedStack>),
}

impl Stack {
    /// Starts all components and waits until they are ready, or attaches to those that run. `progress` is called before steps
    /// that take long.
    pub async fn start(options: Options, progress: &dyn Fn(&str)) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("drill-stack.").tempdir()?;
        let logs = options.is_shown.then(|| folder.path().join("logs"));
        logs.iter().try_for_each(std::fs::create_dir)?;
        let mut ports = PortAllocator::default();
        let addresses = Addresses::allocate(&options.project, &mut ports)?;
        let context = StackContext {
            project: &options.project,
            speed: options.speed,
            addresses: &addresses,
            folder: folder.path(),
            logs: logs.as_deref(),
        };
        let mut values = addresses.values();
        let components = match &options.platform {
            Platform::Native(native) => {
                let stack = NativeStack::start(&context, native, &mut values, &mut ports).await?;
                Components::Native(Box::new(stack))
            }
            Platform::Compose(compose) => Components::Compose(Box::new(
                ComposeStack::start(&context, compose, &mut ports, progress).await?,
            )),
            Platform::Attached(attached) => {
                values = Values::default();
                let (project, speed) = (&options.project, options.speed);
                let stack = AttachedStack::attach(project, speed, attached, &mut values, &mut ports).await?;
                Components::Attached(Box::new(stack))
            }
        };
        let (prometheus, alertmanager, receiver) = match &options.platform {
            Platform::Attached(attached) => (
                PrometheusApi::at(&attached.prometheus),
                AlertmanagerApi::at(&attached.alertmanager),
                ReceiverApi::at(&attached.receiver),
            ),
            _ => (
                PrometheusApi::new(addresses.prometheus),
                AlertmanagerApi::new(addresses.alertmanager),
                ReceiverApi::new(addresses.receiver),
            ),
        };
        let mut shown = None;
        if let Some(logs) = logs {
            values.set("prometheus.alerts", prometheus.alerts_page().await);
            values.set("alertmanager.alerts", alertmanager.alerts_page().await);
            if let Components::Native(native) = &components {
                let functions = native.functions().unwrap_or_default();
                shown =
                    Some(ShownFiles::write(logs, folder.path(), functions, &options.project, &mut values)?);
            }
        }
        Ok(Self {
            prometheus,
            alertmanager,
            receiver,
            options,
            values,
            components,
            shown,
            _ports: ports,
            _folder: folder,
        })
    }

    /// The files for people; `None` for a stack that drills run on, or that writes no files.
    pub fn shown_files(&self) -> Option<&ShownFiles> {
        self.shown.as_ref()
    }

    /// Restarts Prometheus and Alertmanager with empty storage, because the windows of burn rates would include earlier
    /// faults. A stack that ran already keeps them: then the result is `false`.
    pub async fn reset_alerting(&mut self) -> Result<bool> {
        match &mut self.components {
            Components::Native(native) => native.reset_alerting().await?,
            Components::Compose(compose) => compose.reset_alerting().await?,
            Components::Attached(_) => return Ok(false),
        }
        Ok(true)
    }

    /// The options that the stack was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The values of the placeholders in `drill.toml`.
    pub fn values(&self) -> &Values {
        &self.values
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
            Components::Attached(_) => Ok(Vec::new()),
        }
    }

    /// Whether the process with this service name has logged this event since `since`.
    pub async fn has_log_record(&self, service: &str, event: &str, since: Instant) -> Result<bool> {
        match &self.components {
            Components::Native(native) => Ok(native.has_log_record(service, event, since)),
            Components::Compose(compose) => compose.stores().has_log_record(service, event, since).await,
            Components::Attached(attached) => attached.stores().has_log_record(service, event, since).await,
        }
    }

    /// Whether the process with this service name has exported a span with this name since `since`.
    pub async fn has_span(&self, service: &str, span: &str, since: Instant) -> Result<bool> {
        match &self.components {
            Components::Native(native) => Ok(native.has_span(service, span, since)),
            Components::Compose(compose) => compose.stores().has_span(service, span, since).await,
            Components::Attached(attached) => attached.stores().has_span(service, span, since).await,
        }
    }

    /// Runs a query of a runbook. Its result may be empty: what counts is that the server accepts it. What the stack has no server
    /// for is left out.
    ///
    /// # Errors
    /// The server rejects the query, or does not respond.
    pub async fn run_query(&self, RunbookQuery { language, expression }: &RunbookQuery) -> Result<()> {
        let stores = match &self.components {
            Components::Native(_) => None,
            Components::Compose(compose) => Some(compose.stores()),
            Components::Attached(attached) => Some(attached.stores()),
        };
        let ran = match (language, stores) {
            (QueryLanguage::PromQl, _) => match self.options.speed.divide_expression(expression) {
                Ok(divided) => self.prometheus.query(&divided).await.map(drop),
                Err(error) => Err(error),
            },
            (QueryLanguage::LogQl, Some(stores)) => stores.run_logql(expression).await,
            (QueryLanguage::TraceQl, Some(stores)) => stores.run_traceql(expression).await,
            (QueryLanguage::LogQl | QueryLanguage::TraceQl, None) => Ok(()),
        };
        ran.with_context(|| expression.clone())
    }

    /// Kills a component.
    pub async fn stop(&mut self, component: &Component) -> Result<()> {
        match &mut self.components {
            Components::Native(native) => native.stop(component).await,
            Components::Compose(compose) => compose.stop(component).await,
            Components::Attached(_) => bail!("a drill does not stop {component} of a stack that ran already"),
        }
    }

    /// Restarts a component and waits until it is ready.
    pub async fn restart(&mut self, component: &Component) -> Result<()> {
        match &mut self.components {
            Components::Native(native) => native.restart(component).await,
            Components::Compose(compose) => compose.restart(component).await,
            Components::Attached(_) => Ok(()),
        }
    }

    /// Gives a process of the service this many replicas.
    pub async fn scale(&self, process: &str, replicas: u32) -> Result<()> {
        match &self.components {
            Components::Native(_) => bail!("on one machine, two processes {process} would have one address"),
            Components::Compose(compose) => compose.scale(process, replicas).await,
            Components::Attached(_) => bail!("a drill does not scale {process} of a stack that ran already"),
        }
    }

    /// Runs the remedy with these words, as `[remedy]` of the project says.
    pub async fn run_command(&self, arguments: &[&str]) -> Result<()> {
        match &self.components {
            Components::Native(native) => native.run_command(arguments).await,
            Components::Compose(compose) => compose.run_command(arguments).await,
            Components::Attached(_) => bail!("a drill runs no command of a stack that ran already"),
        }
    }

    /// The exit status and last lines of the first component that has exited without being stopped; `None` if all run.
    pub async fn exit_report(&mut self) -> Result<Option<String>> {
        match &mut self.components {
            Components::Native(native) => native.exit_report(),
            Components::Compose(compose) => compose.exit_report().await,
            Components::Attached(_) => Ok(None),
        }
    }

    /// Starts again what has exited in a stack of processes that people look at, and reports it.
    ///
    /// # Errors
    /// A component of another stack has exited without being stopped.
    pub async fn supervise(&mut self, report: &dyn Fn(&str)) -> Result<()> {
        if let Components::Native(native) = &mut self.components {
            return native.supervise(report).await;
        }
        let exited = self.exit_report().await?;
        exited.map_or(Ok(()), |report| bail!("{report}"))
    }

    /// The command that runs a scenario against this stack. The steady phase of the load lasts `duration`, or as long as
    /// the script defines.
    pub(crate) async fn scenario_command(
        &self,
        scenario: &str,
        duration: Option<Duration>,
    ) -> Result<ScenarioCommand> {
        let project = &self.options.project;
        match &self.components {
            Components::Native(native) => native.scenario_command(project, scenario, duration),
            Components::Compose(compose) => compose.scenario_command(scenario, duration).await,
            Components::Attached(attached) => attached.scenario_command(project, scenario, duration),
        }
    }

    /// A shell command that runs a scenario against this stack; `None` if it cannot be run.
    pub fn scenario_command_line(&self, scenario: &str) -> Option<String> {
        match &self.components {
            Components::Native(native) => native.scenario_command_line(&self.options.project, scenario),
            Components::Compose(compose) => Some(compose.scenario_command_line(scenario)),
            Components::Attached(_) => None,
        }
    }
}
