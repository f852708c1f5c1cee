//! The platforms that a stack can run on.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::process::find_program;
use crate::catalogue::Host;

/// A platform with its options.
#[derive(Clone, Debug)]
pub enum Platform {
    /// Processes of this machine.
    Native(NativeOptions),
    /// The containers of `docker-compose.yml`.
    Compose(ComposeOptions),
}

/// The options of a stack of processes.
#[derive(Clone, Debug)]
pub struct NativeOptions {
    /// The program `glasshouse`.
    pub binary: PathBuf,
    /// The program k6.
    pub k6: PathBuf,
    /// The URL of Postgres for a superuser.
    pub postgres: String,
}

/// The options of a stack of containers.
#[derive(Clone, Debug)]
pub struct ComposeOptions {
    /// An existing image of the service. Without one, the image is built.
    pub image: Option<String>,
}

impl Platform {
    /// The name of the platform, as the catalogue has it.
    pub fn host(&self) -> Host {
        match self {
            Self::Native(_) => Host::Native,
            Self::Compose(_) => Host::Compose,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native(_) => "of processes on this machine",
            Self::Compose(_) => "of docker-compose.yml",
        })
    }
}

/// Whether Docker can be used: its command line and Compose are installed, and its engine responds.
pub fn is_docker_available() -> bool {
    let succeeds = |arguments: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        docker.status().is_ok_and(|status| status.success())
    };
    find_program(&["docker"]).is_some() && succeeds(&["compose", "version"]) && succeeds(&["info"])
}
