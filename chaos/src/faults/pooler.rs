//! Faults of a connection pooler between the service and Postgres.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;
use tokio::time::sleep;

use super::inject::{RESTART_DELAY, again_and_again};
use crate::system::System;

/// What the pooler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolerFault {
    /// It is killed, and started again.
    Kill,
    /// It holds all transactions, as for a restart of Postgres.
    Pause,
    /// It reads its configuration again and again.
    Reload,
    /// All its connections to Postgres are used by others.
    Exhausted,
    /// Postgres is killed behind it, and started again.
    PostgresKilled,
}

impl PoolerFault {
    pub(super) const ALL: [Self; 5] =
        [Self::Kill, Self::Pause, Self::Reload, Self::Exhausted, Self::PostgresKilled];

    /// Injects the fault, and heals it. Returns whether it took effect.
    pub(super) async fn happen(self, system: &mut System, duration: Duration) -> Result<bool> {
        let (pooler, postgres) = system.pooler()?;
        match self {
            Self::Kill => {
                pooler.signal(Signal::KILL)?;
                sleep(RESTART_DELAY).await;
                pooler.restart().await?;
            }
            Self::Pause => {
                pooler.signal(Signal::USR1)?;
                sleep(duration).await;
                pooler.signal(Signal::USR2)?;
                // Pools of sessions would wait until the service has closed them.
                return Ok(pooler.shares_connections());
            }
            Self::Reload => again_and_again(duration, async || pooler.signal(Signal::HUP)).await?,
            Self::Exhausted => {
                let held = pooler.use_up_connections(postgres).await?;
                sleep(duration).await;
                let took_effect = !held.is_empty();
                for connection in held {
                    connection.close().await?;
                }
                return Ok(took_effect);
            }
            Self::PostgresKilled => {
                postgres.signal(Signal::KILL)?;
                sleep(RESTART_DELAY).await;
                postgres.restart().await?;
            }
        }
        Ok(true)
    }
}

impl fmt::Display for PoolerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "PgBouncer killed",
            Self::Pause => "PgBouncer pauses all transactions",
            Self::Reload => "PgBouncer reloads its configuration",
            Self::Exhausted => "PgBouncer out of connections",
            Self::PostgresKilled => "Postgres killed behind PgBouncer",
        })
    }
}
