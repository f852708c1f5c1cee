//! `check-config`: tells every mistake of the configuration, and starts nothing.

use std::io::{self, Write};

use crate::cli::CheckedRole;
use crate::config::{Config, Role};

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
