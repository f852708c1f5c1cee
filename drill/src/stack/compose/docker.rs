//! Builds command lines of Docker and Compose.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::stack::process::{ProcessSpec, find_program};

/// Docker's command line for the containers of one stack. It inherits the whole environment, for `DOCKER_HOST` and the
/// variables of the Compose file.
#[derive(Clone, Debug)]
pub(super) struct Docker {
    program: PathBuf,
    /// The Compose project name, which identifies the containers of the stack.
    project: String,
    file: PathBuf,
    /// The folder that relative paths in the Compose file start from.
    folder: PathBuf,
}

impl Docker {
    pub(super) fn new(project: String, file: PathBuf, folder: &Path) -> Result<Self> {
        let program = find_program(&["docker"]).context("docker is not in PATH")?;
        Ok(Self { program, project, file, folder: folder.to_owned() })
    }

    /// The command line for the same containers, as another file describes them.
    pub(super) fn with_file(&self, file: PathBuf) -> Self {
        Self { file, ..self.clone() }
    }

    /// The Compose project name.
    pub(super) fn project(&self) -> &str {
        &self.project
    }

    /// The command `docker …`.
    pub(super) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> ProcessSpec {
        let spec = ProcessSpec { inherits_environment: true, ..ProcessSpec::new("docker", &self.program) };
        arguments.into_iter().fold(spec, ProcessSpec::argument)
    }

    /// The command `docker compose …`.
    pub(super) fn compose<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> ProcessSpec {
        let spec = self.command(["compose", "--project-name", &self.project]);
        let spec = spec.argument("--file").argument(&self.file);
        let spec = spec.argument("--project-directory").argument(&self.folder);
        arguments.into_iter().fold(spec, ProcessSpec::argument)
    }
}
