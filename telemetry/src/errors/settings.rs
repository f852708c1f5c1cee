//! The settings of error events.

use std::fmt;
use std::str::FromStr;

/// Where error events are sent, and how many transactions.
#[derive(Clone, Debug)]
pub struct ErrorSettings {
    /// The project at Sentry.
    pub dsn: Dsn,
    /// The ratio of requests and background jobs whose transactions are sent: 0 to 1.
    pub traces_sample_rate: f64,
}

/// The address of a project at Sentry. It has a key in it, which [`Debug`] does not show.
#[derive(Clone)]
pub struct Dsn(sentry::types::Dsn);

/// Not the address of a project at Sentry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a Sentry DSN such as https://KEY@HOST/PROJECT")]
pub struct InvalidDsn;

impl Dsn {
    pub(super) const fn inner(&self) -> &sentry::types::Dsn {
        &self.0
    }
}

impl FromStr for Dsn {
    type Err = InvalidDsn;

    fn from_str(text: &str) -> Result<Self, InvalidDsn> {
        text.parse().map(Self).map_err(|_| InvalidDsn)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({}/{})", self.0.host(), self.0.project_id())
    }
}
