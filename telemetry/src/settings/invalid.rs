//! What is wrong with settings.

use std::fmt;

/// A setting has a value that telemetry cannot start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct InvalidSetting {
    /// The field of [`TelemetrySettings`](crate::TelemetrySettings).
    pub setting: &'static str,
    /// What is wrong with its value.
    pub problem: String,
}

/// An environment variable has a value that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidVariable {
    /// The name of the variable.
    pub name: &'static str,
    /// What is wrong with its value.
    pub problem: String,
}

/// All environment variables with values that are not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidVariables(pub Vec<InvalidVariable>);

impl fmt::Display for InvalidVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environment variables of telemetry are not valid:")?;
        self.0.iter().try_for_each(|variable| write!(f, "\n  {}: {}", variable.name, variable.problem))
    }
}

impl std::error::Error for InvalidVariables {}
