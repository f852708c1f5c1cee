use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use glasshouse_drill::speed::Speed;
use glasshouse_drill::stack::docker_is_there;
use url::Url;

/// Fires, delivers and resolves every alert of Glasshouse, on a stack of its own.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The project's folder
    #[arg(long, global = true, default_value = ".")]
    pub(crate) project: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the alerts and tests of the catalogue
    List,
    /// Runs some of them, by the name of an alert, a scenario or a test
    Run {
        /// What to run
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        stack: StackArguments,
        #[command(flatten)]
        reports: Reports,
    },
    /// Runs all of them, and compares rules and dashboards with what the service exports
    All {
        #[command(flatten)]
        stack: StackArguments,
        #[command(flatten)]
        reports: Reports,
    },
    /// Tells what a stack would run on here: compose or native
    Platform(PlatformArguments),
    /// Starts the stack, and leaves it up until Ctrl-C
    Stack {
        #[command(flatten)]
        stack: StackArguments,
    },
    /// Asks a Prometheus every query of the dashboards, while `average-load` runs: all must find something
    Dashboards {
        /// Where Prometheus listens
        #[arg(long, env = "PROMETHEUS_ADDR", default_value = "127.0.0.1:9090")]
        prometheus: SocketAddr,
    },
    /// Follows the links from a panel to a trace, its log lines, profile and metrics, and back
    Follow(Box<FollowArguments>),
    /// Runs the receiver of notifications alone
    Receiver {
        /// Where it listens
        #[arg(long, env = "GLASSHOUSE_RECEIVER_ADDR", default_value = "127.0.0.1:9094")]
        listen: SocketAddr,
    },
}

#[derive(Debug, Args)]
pub(crate) struct StackArguments {
    /// Divides every duration of rules, configurations and scenarios
    #[arg(long, env = "SPEED", default_value = "30")]
    pub(crate) speed: Speed,
    #[command(flatten)]
    pub(crate) platform: PlatformArguments,
    /// Native: the program `glasshouse`; the one beside this program if it is not named
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// Native: the program k6; the one in PATH if it is not named
    #[arg(long)]
    pub(crate) k6: Option<PathBuf>,
    /// Native: where a superuser reaches Postgres
    #[arg(long, env = "TEST_DATABASE_URL", hide_env_values = true)]
    pub(crate) postgres: Option<String>,
    /// Compose: an image of the service that is there; it is built if none is named
    #[arg(long, env = "DRILL_IMAGE")]
    pub(crate) image: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PlatformArguments {
    /// What the stack runs on; on Compose where Docker is there, if it is not said
    #[arg(long, env = "DRILL_ON")]
    on: Option<On>,
}

/// What a stack runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    /// The containers of docker-compose.yml
    Compose,
    /// Processes of this machine
    Native,
}

impl PlatformArguments {
    /// What was said, or else what is there.
    pub(crate) fn on(&self) -> On {
        self.on.unwrap_or_else(|| if docker_is_there() { On::Compose } else { On::Native })
    }
}

#[derive(Debug, Args)]
pub(crate) struct FollowArguments {
    /// Where Grafana listens, through whose data sources everything is asked
    #[arg(long, env = "GRAFANA_URL", default_value = "http://127.0.0.1:3000")]
    pub(crate) grafana: Url,
    /// A Prometheus to be asked directly
    #[arg(long)]
    pub(crate) prometheus: Option<Url>,
    /// A Tempo to be asked directly
    #[arg(long)]
    pub(crate) tempo: Option<Url>,
    /// A Loki to be asked directly
    #[arg(long)]
    pub(crate) loki: Option<Url>,
    /// A Pyroscope to be asked directly
    #[arg(long)]
    pub(crate) pyroscope: Option<Url>,
}

#[derive(Debug, Args)]
pub(crate) struct Reports {
    /// Writes a report in JUnit's format
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Writes a report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Writes a report as a page of documentation
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}
