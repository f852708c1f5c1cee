//! A new version of the service or of its schema, while customers act. It is no fault: no request may fail.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::sleep;
use tokio::try_join;

use crate::system::{Role, System, Version};

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// The schema of this version replaces the oldest one that it accepts, on which it ran until then.
    Schema,
    /// A schema as the next version might need it replaces the one of this version, which goes on running.
    NextSchema,
    /// The schema of this version replaces the previous one, and then this version replaces the previous one, is rolled back,
    /// and replaces it again.
    Release,
}

/// Longer than the drain time and the grace of a shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a report reads before the migration begins.
const HEAD_START: Duration = Duration::from_millis(200);

impl Upgrade {
    /// Upgrades under load. Returns whether there was something to upgrade.
    pub(super) async fn happen(self, system: &mut System, duration: Duration) -> Result<bool> {
        match self {
            Self::Schema => while_a_report_reads(system, duration, system.migrate()).await,
            Self::NextSchema => {
                while_a_report_reads(system, duration, system.migrate_to_next_version()).await
            }
            Self::Release => {
                let migrated = while_a_report_reads(system, duration, system.migrate()).await?;
                for version in [Version::New, Version::Old, Version::New] {
                    system.install(version)?;
                    for role in [Role::Worker, Role::Api] {
                        rolling_restart(system, role, duration).await?;
                    }
                }
                Ok(migrated)
            }
        }
    }
}

async fn while_a_report_reads(
    system: &System,
    duration: Duration,
    migration: impl Future<Output = Result<bool>>,
) -> Result<bool> {
    let migration = async {
        sleep(HEAD_START).await;
        migration.await
    };
    Ok(try_join!(system.postgres.read_for(duration), migration)?.1)
}

/// Restarts the processes with a role one after the other. Between two, the versions run beside each other for `pause`.
pub(super) async fn rolling_restart(system: &mut System, role: Role, pause: Duration) -> Result<()> {
    for replica in system.replicas.iter_mut().filter(|replica| replica.role() == role) {
        let code = replica.terminate(SHUTDOWN_TIMEOUT).await?;
        ensure!(code == Some(0), "{replica} ended with {code:?} after SIGTERM");
        replica.restart().await?;
        sleep(pause).await;
    }
    Ok(())
}

impl fmt::Display for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schema => "oldest accepted schema migrated to that of this version",
            Self::NextSchema => "schema of this version migrated to that of a next one",
            Self::Release => "previous version replaced, rolled back, and replaced again",
        })
    }
}
