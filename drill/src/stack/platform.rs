use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::child::find_program;

/// What a stack runs on.
#[derive(Clone, Debug)]
pub enum Platform {
    /// Processes of this machine.
    Native(Processes),
    /// Containers, as `docker-compose.yml` describes them.
    Compose(Containers),
}

/// What a stack of processes needs.
#[derive(Clone, Debug)]
pub struct Processes {
    /// The program `glasshouse`.
    pub binary: PathBuf,
    /// The program k6.
    pub k6: PathBuf,
    /// Where a superuser reaches Postgres.
    pub postgres: String,
}

/// What a stack of containers needs.
#[derive(Clone, Debug)]
pub struct Containers {
    /// An image of the service that is there already. Without one, it is built.
    pub image: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native(_) => "of processes on this machine",
            Self::Compose(_) => "of docker-compose.yml",
        })
    }
}

/// Whether Docker is there: its command line, Compose, and an engine that answers.
pub fn docker_is_there() -> bool {
    let succeeds = |arguments: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        docker.status().is_ok_and(|status| status.success())
    };
    find_program(&["docker"]).is_some() && succeeds(&["compose", "version"]) && succeeds(&["info"])
}
