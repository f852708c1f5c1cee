//! `check-config`: tells every mistake of the configuration, and starts nothing.

use std::io::{self, Write};

use crate::config::{Config, Role};

/// A role whose configuration can be checked.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum CheckedRole {
    /// See `glasshouse demo`.
    Demo,
    /// See `glasshouse serve`.
    Serve,
    /// See `glasshouse worker`.
    Worker,
    /// See `glasshouse gateway`.
    Gateway,
}

/// Checks the configuration of a role.
pub(crate) fn run(role: CheckedRole) -> anyhow::Result<()> {
    let role = match role {
        CheckedRole::Demo => Role::Demo,
        CheckedRole::Serve => Role::Serve,
        CheckedRole::Worker => Role::Worker,
        CheckedRole::Gateway => Role::Gateway,
    };
    Config::from_environment(role, false)?;
    writeln!(io::stdout(), "the configuration is valid")?;
    Ok(())
}
