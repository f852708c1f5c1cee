//! `check-config`: validates the configuration of a process without starting it.

use std::io::{self, Write};

use crate::config::{Config, ProcessKind};

/// Validates the configuration of a kind of process.
pub(crate) fn run(kind: ProcessKind) -> anyhow::Result<()> {
    Config::from_environment(kind, false)?;
    writeln!(io::stdout(), "the configuration is valid")?;
    Ok(())
}
