//! Clocks that jump while their process runs.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::system::{Role, System};

/// Where a clock jumps to. At the end of the fault it jumps back to the true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jump {
    Forward,
    Back,
}

const HOUR: i64 = 3600;

impl Jump {
    /// Lets the clock of one process with a role jump, and sets it right. Returns whether the process saw that.
    pub(super) async fn happen(self, system: &System, role: Role, duration: Duration) -> Result<bool> {
        let with_clock = system.with_role(role).find_map(|replica| Some((replica, replica.clock()?)));
        let (replica, clock) = with_clock.with_context(|| format!("no {role} has a clock that can jump"))?;
        let (offset, hours) = match self {
            Self::Forward => (HOUR, 1),
            Self::Back => (-HOUR, -1),
        };
        clock.jump_to(offset)?;
        sleep(duration).await;
        let seen = (replica.time().await? - OffsetDateTime::now_utc()).as_seconds_f64() / 3600.0;
        clock.jump_to(0)?;
        Ok((seen - f64::from(hours)).abs() < 0.5)
    }
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "jumps an hour ahead",
            Self::Back => "jumps back an hour",
        })
    }
}
