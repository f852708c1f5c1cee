use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::stack::child::{Launch, find_program};

/// Docker's command line, for the containers of one stack. It sees our whole environment: `DOCKER_HOST` and the variables of
/// the Compose file mean what they mean to people.
#[derive(Clone, Debug)]
pub(super) struct Docker {
    program: PathBuf,
    /// By which Compose tells the stack's containers from all others.
    project: String,
    /// The Compose file.
    file: PathBuf,
    /// From where the Compose file names other files.
    folder: PathBuf,
}

impl Docker {
    pub(super) fn new(project: String, file: PathBuf, folder: &Path) -> Result<Self> {
        let program = find_program(&["docker"]).context("docker is not in PATH")?;
        Ok(Self { program, project, file, folder: folder.to_owned() })
    }

    /// By which Compose tells the stack's containers from all others.
    pub(super) fn project(&self) -> &str {
        &self.project
    }

    /// A command of Docker.
    pub(super) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Launch {
        let launch = Launch { sees_our_environment: true, ..Launch::new("docker", &self.program) };
        arguments.into_iter().fold(launch, Launch::argument)
    }

    /// A command of Compose.
    pub(super) fn compose<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Launch {
        let launch = self.command(["compose", "--project-name", &self.project]);
        let launch = launch.argument("--file").argument(&self.file);
        let launch = launch.argument("--project-directory").argument(&self.folder);
        arguments.into_iter().fold(launch, Launch::argument)
    }
}
