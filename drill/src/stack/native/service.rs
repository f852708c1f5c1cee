//! The processes and commands of the service, as the project describes them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::managed_process::{ManagedProcess, ReadinessProbe};
use crate::project::{Process, Project, Variables};
use crate::stack::process::ProcessSpec;
use crate::template::Values;

/// Starts the processes and commands of a project.
pub(super) struct Service<'a> {
    pub(super) project: &'a Project,
    pub(super) values: &'a Values,
    /// The folder of log files, if people look at the stack.
    pub(super) logs: Option<&'a Path>,
}

impl Service<'_> {
    /// The commands that run before the processes.
    pub(super) fn setup(&self) -> Result<Vec<ProcessSpec>> {
        let commands = self.project.config().setup.iter();
        commands
            .map(|setup| self.spec(&setup.command.join(" "), &setup.command, &setup.environment))
            .collect()
    }

    /// Starts a process and waits until it is ready.
    pub(super) async fn start(&self, process: &Process) -> Result<ManagedProcess> {
        let Process { name, command, environment, .. } = process;
        let ready = ReadinessProbe::Http(self.values.expand(&process.ready())?);
        ManagedProcess::start(self.spec(name, command, environment)?, ready, self.logs).await
    }

    /// Runs a remedy, once its words are added; `None` if the project has none.
    pub(super) fn remedy(&self) -> Result<Option<ProcessSpec>> {
        let Some(remedy) = &self.project.config().remedy else { return Ok(None) };
        let process = self.project.process(Some(&remedy.process))?;
        self.spec("remedy", &remedy.command, &process.environment).map(Some)
    }

    fn spec(&self, name: &str, command: &[String], environment: &Variables) -> Result<ProcessSpec> {
        let expand = |text: &String| self.values.expand(text);
        let command = command.iter().map(expand).collect::<Result<Vec<_>>>()?;
        let (program, arguments) = command.split_first().with_context(|| format!("{name} has no command"))?;
        let spec = ProcessSpec::new(name, self.program(program)?);
        let mut spec = arguments.iter().fold(spec, ProcessSpec::argument);
        spec.folder = Some(self.project.root().to_owned());
        let config = self.project.config();
        spec.environment.extend(&config.environment);
        let shown = self.logs.map(|_| &config.shown.environment);
        for (name, text) in
            config.native.environment.iter().chain(shown.into_iter().flatten()).chain(environment)
        {
            spec.environment.insert(name, expand(text)?);
        }
        Ok(spec)
    }

    /// A program in `PATH`, or a path, relative to the root of the project.
    fn program(&self, program: &str) -> Result<PathBuf> {
        if !program.contains('/') {
            return Ok(program.into());
        }
        let path = self.project.path(Path::new(program));
        ensure!(
            path.is_file(),
            "{} does not exist: build it, or name its folder with --programs",
            path.display()
        );
        Ok(path)
    }
}
