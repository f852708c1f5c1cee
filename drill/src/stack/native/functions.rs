//! Shell functions for the processes of a stack that people look at.

use std::path::Path;

use anyhow::{Context, Result};
use rustix::process::getpid;

use super::files::{ProcessFiles, State};
use crate::stack::platform::PostgresServer;

const FUNCTIONS: &str = include_str!("functions.sh");

/// The components that run in this program itself, as the catalogue and the Compose file call them.
const BUILT_IN: [&str; 2] = ["alert-receiver", "otel-collector"];

/// The name of the database server, which this program does not start.
const POSTGRES: &str = "postgres";

/// Writes the files of components that are no processes of this program into the folder of all such files, and returns the functions.
pub(super) fn write(folder: &Path, postgres: Option<&PostgresServer>) -> Result<String> {
    for name in BUILT_IN {
        ProcessFiles::new(folder, name).write_state(State::BuiltIn(getpid()), "")?;
    }
    let mut text = format!("drill_folder='{}'\n", folder.display());
    if let Some(server) = postgres {
        let files = ProcessFiles::new(folder, POSTGRES);
        std::os::unix::fs::symlink(&server.log, files.log()).context("the log of Postgres")?;
        // Its state is not known here: `drill_postgres` prints it.
        files.write_state(State::External, "")?;
        text += &format!("drill_postgres() ( {} \"$@\" )\n", server.control);
    }
    Ok(text + FUNCTIONS)
}
