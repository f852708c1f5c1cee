//! The files of a process in a stack that people look at. A shell reads and changes the process through them: see `functions.sh`.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::process::Pid;

use crate::stack::process::Environment;

/// The files of a process: `NAME.log`, `NAME.state`, `NAME.env`, and `NAME.stopped` while it is to stay down.
#[derive(Clone, Debug)]
pub(super) struct ProcessFiles {
    folder: PathBuf,
    name: String,
}

/// What `NAME.state` says.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// It runs, and is not ready yet.
    Starting(Pid),
    /// It runs.
    Running(Pid),
    /// It has exited by itself.
    Exited,
    /// It has exited because it is to stay down.
    Stopped,
    /// It is a part of this program.
    BuiltIn(Pid),
    /// Another program starts it.
    External,
}

impl ProcessFiles {
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), name: name.to_owned() }
    }

    /// The name of the process.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }

    /// The file of its output.
    pub(super) fn log(&self) -> PathBuf {
        self.path("log")
    }

    /// Replaces the state. The details are for people.
    pub(super) fn write_state(&self, state: State, details: &str) -> Result<()> {
        let (file, new) = (self.path("state"), self.path("state.new"));
        std::fs::write(&new, format!("{state} {details}\n"))
            .and_then(|()| std::fs::rename(&new, &file))
            .with_context(|| file.display().to_string())
    }

    /// Writes the variables that it starts with, for people to change.
    pub(super) fn write_environment(&self, environment: &Environment) -> Result<()> {
        let file = self.path("env");
        let lines: String = environment.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        std::fs::write(&file, lines).with_context(|| file.display().to_string())
    }

    /// The variables that it is to start with: the last one of each name. Empty lines and comments are left out.
    pub(super) fn environment(&self) -> Result<Environment> {
        let file = self.path("env");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let mut environment = Environment::default();
        environment.extend(lines.filter_map(|line| line.split_once('=')));
        Ok(environment)
    }

    /// Whether it is to stay down.
    pub(super) fn stays_down(&self) -> bool {
        self.path("stopped").exists()
    }

    /// Lets it stay down until a person starts it.
    pub(super) fn keep_down(&self) -> Result<()> {
        let file = self.path("stopped");
        std::fs::write(&file, "").with_context(|| file.display().to_string())
    }
}

/// The word for people, and the process id.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, pid) = match self {
            Self::Starting(pid) => ("starting", Some(pid)),
            Self::Running(pid) => ("running", Some(pid)),
            Self::BuiltIn(pid) => ("built-in", Some(pid)),
            Self::Exited => ("exited", None),
            Self::Stopped => ("stopped", None),
            Self::External => ("external", None),
        };
        match pid {
            Some(pid) => write!(f, "{word} {}", pid.as_raw_nonzero()),
            None => write!(f, "{word} -"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_variable_counts() {
        let folder = tempfile::tempdir().unwrap();
        let files = ProcessFiles::new(folder.path(), "api");
        let mut written = Environment::default();
        written.extend([("DATABASE_URL", "postgres://a@b/c?d=e"), ("POOL", "10")]);
        files.write_environment(&written).unwrap();
        let changed = std::fs::read_to_string(files.path("env")).unwrap() + "\n# POOL=30\nPOOL=20\n";
        std::fs::write(files.path("env"), changed).unwrap();
        let read = files.environment().unwrap();
        assert_eq!(
            read.iter().collect::<Vec<_>>(),
            [("DATABASE_URL", "postgres://a@b/c?d=e"), ("POOL", "20")]
        );
    }
}
