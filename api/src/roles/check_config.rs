//! `check-config`: tells every mistake of the configuration, and starts nothing.

use std::io::{self, Write};

use crate::cli::CheckedRole;
use crate::config::{Config, ConfigErrors, LogConfig, Reader, Role, environment};

/// Checks the configuration of a role.
pub(crate) fn run(role: CheckedRole) -> anyhow::Result<()> {
    let role = match role {
        CheckedRole::Demo => Role::Demo,
        CheckedRole::Serve => Role::Serve,
        CheckedRole::Worker => Role::Worker,
        CheckedRole::Gateway => Role::Gateway,
    };
    let mut env = Reader::new(environment);
    let config = (LogConfig::read(&mut env, false), Config::read(role, &mut env));
    let checked: Result<_, ConfigErrors> = env.finish(config);
    checked?;
    writeln!(io::stdout(), "the configuration is valid")?;
    Ok(())
}
