//! The command line of `drill`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use glasshouse_drill::project::Project;
use glasshouse_drill::receiver::DEFAULT_TIMEOUT;
use glasshouse_drill::speed::Speed;
use glasshouse_drill::stack::is_docker_available;
use url::Url;

/// Proves that every alert of a project fires, is delivered and is resolved.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The folder of the project's drill.toml
    #[arg(long, global = true, default_value = ".", value_name = "FOLDER")]
    pub(crate) project: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the scenarios and tests of the catalogue
    List,
    /// Checks that catalogue, rules, scenarios, runbooks and dashboards fit together, without a stack
    Check,
    /// Runs the named alerts, scenarios or tests
    Run {
        /// Names of alerts, scenarios or tests
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        drill: DrillArguments,
    },
    /// Runs all drills, and compares the queries of rules and dashboards with the exported metrics
    All {
        #[command(flatten)]
        drill: DrillArguments,
    },
    /// Prints the platform that a stack would use here: compose, native or attached
    Platform(PlatformArguments),
    /// Generates the rules of the service level objectives
    Slo,
    /// Starts the stack and runs it until Ctrl-C
    Stack {
        #[command(flatten)]
        stack: StackArguments,
    },
    /// Checks that every dashboard panel has data, against a Prometheus and a Grafana, while `average-load` runs
    Dashboards {
        /// The address of Prometheus
        #[arg(long, env = "PROMETHEUS_ADDR", default_value = "127.0.0.1:9090")]
        prometheus: SocketAddr,
        /// The URL of Grafana: also runs the queries of Loki, Tempo and Pyroscope, through its data sources
        #[arg(long)]
        grafana: Option<Url>,
    },
    /// Follows the links from a panel to a trace, its logs, profile and metrics, and back
    Follow(Box<FollowArguments>),
    /// Runs only the webhook receiver of notifications
    Receiver {
        /// The address to listen on
        #[arg(long, env = "GLASSHOUSE_RECEIVER_ADDR", default_value = "127.0.0.1:9094")]
        listen: SocketAddr,
        /// After how many seconds without the alert that always fires the dead man's switch raises the alarm
        #[arg(long, env = "GLASSHOUSE_HEARTBEAT_TIMEOUT_SECONDS", default_value_t = DEFAULT_TIMEOUT.as_secs())]
        heartbeat_timeout: u64,
        /// The folder of the runbooks that it serves while Grafana cannot be reached [default: that of the project, if there is one]
        #[arg(long)]
        runbooks: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DrillArguments {
    /// Native: how many stacks run drills at the same time [default: native.stacks of drill.toml]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) stacks: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
    #[command(flatten)]
    pub(crate) reports: ReportArguments,
}

#[derive(Debug, Args)]
pub(crate) struct StackArguments {
    /// The divisor of every duration in rules, configurations and scenarios [default: 30; 1 if attached]
    #[arg(long, env = "SPEED")]
    pub(crate) speed: Option<Speed>,
    #[command(flatten)]
    pub(crate) platform: PlatformArguments,
    /// Native: the folder of the service's programs [default: that of this program]
    #[arg(long)]
    pub(crate) programs: Option<PathBuf>,
    /// Native and attached: the path of k6 [default: from PATH]
    #[arg(long)]
    pub(crate) k6: Option<PathBuf>,
    /// Native: the URL of Postgres for a superuser
    #[arg(long, env = "TEST_DATABASE_URL", hide_env_values = true)]
    pub(crate) postgres: Option<String>,
    /// Native: a shell command that controls the server of Postgres, like pg_ctl with its options
    #[arg(long, env = "TEST_DATABASE_CONTROL", value_name = "COMMAND", requires = "postgres_log")]
    pub(crate) postgres_control: Option<String>,
    /// Native: the log of the server of Postgres
    #[arg(long, env = "TEST_DATABASE_LOG", value_name = "FILE")]
    pub(crate) postgres_log: Option<PathBuf>,
    /// Compose: an existing image of the service [default: build it]
    #[arg(long, env = "DRILL_IMAGE")]
    pub(crate) image: Option<String>,
    #[command(flatten)]
    pub(crate) attached: AttachedArguments,
}

/// Where the components of a stack are that runs already. Each replaces what `attached` in drill.toml says.
#[derive(Debug, Args)]
pub(crate) struct AttachedArguments {
    /// Attached: the URL of Prometheus
    #[arg(long)]
    pub(crate) prometheus: Option<Url>,
    /// Attached: the URL of Alertmanager
    #[arg(long)]
    pub(crate) alertmanager: Option<Url>,
    /// Attached: the URL of the receiver that Alertmanager delivers to; the drill listens there, if nothing else does
    #[arg(long)]
    pub(crate) receiver: Option<Url>,
    /// Attached: the URL of Loki
    #[arg(long)]
    pub(crate) loki: Option<Url>,
    /// Attached: the URL of Tempo
    #[arg(long)]
    pub(crate) tempo: Option<Url>,
    /// Attached: the address of a port of the service, such as api.http=127.0.0.1:8080
    #[arg(long = "port", value_name = "NAME=ADDRESS", value_parser = port)]
    pub(crate) ports: Vec<(String, String)>,
}

fn port(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, address)| !name.is_empty() && !address.is_empty());
    let (name, address) = parts.ok_or("it is NAME=ADDRESS, such as api.http=127.0.0.1:8080")?;
    Ok((name.to_owned(), address.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct PlatformArguments {
    /// The platform of the stack [default: compose if the project has it and Docker is available]
    #[arg(long, env = "DRILL_ON")]
    on: Option<PlatformName>,
}

/// The platform of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlatformName {
    /// The containers of the project's Compose file
    Compose,
    /// Processes on this machine
    Native,
    /// A stack that runs already
    Attached,
}

impl PlatformArguments {
    /// The platform from the command line, or the default for this project and this machine.
    pub(crate) fn resolve(&self, project: &Project) -> PlatformName {
        let default = || {
            let has_commands = project.processes().iter().any(|process| !process.command.is_empty());
            match project.compose() {
                Ok(_) if is_docker_available() => PlatformName::Compose,
                _ if has_commands => PlatformName::Native,
                _ => PlatformName::Attached,
            }
        };
        self.on.unwrap_or_else(default)
    }
}

#[derive(Debug, Args)]
pub(crate) struct FollowArguments {
    /// The URL of Grafana; requests go through its data sources
    #[arg(long, env = "GRAFANA_URL", default_value = "http://127.0.0.1:3000")]
    pub(crate) grafana: Url,
    /// The URL of Prometheus, to bypass Grafana
    #[arg(long)]
    pub(crate) prometheus: Option<Url>,
    /// The URL of Tempo, to bypass Grafana
    #[arg(long)]
    pub(crate) tempo: Option<Url>,
    /// The URL of Loki, to bypass Grafana
    #[arg(long)]
    pub(crate) loki: Option<Url>,
    /// The URL of Pyroscope, to bypass Grafana
    #[arg(long)]
    pub(crate) pyroscope: Option<Url>,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Writes a report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Writes a report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Writes a report as Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}
