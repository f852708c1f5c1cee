//! What can break below and in the demo.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::sleep;

use crate::system::Demo;

/// Something that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DemoFault {
    /// The process is killed after this time under load, and restarted.
    Killed { after: Duration },
    /// The disk is full, with some free pages more or less again and again.
    FullDisk,
    /// The file system is mounted read-only below the open file.
    ReadOnly,
}

/// A kill comes at any moment of this time.
const KILLED_WITHIN_MS: u64 = 1000;
/// How long a process that was killed stays away.
const RESTART_DELAY: Duration = Duration::from_millis(300);
/// The pause between two changes of the space that is left.
const AGAIN: Duration = Duration::from_millis(300);
/// A transaction that finds no space at all leaves a connection that the demo replaces.
const ALL_CONNECTIONS_FAIL: Duration = Duration::from_millis(1500);
const FEW_PAGES: std::ops::Range<u64> = 0..16;

impl DemoFault {
    /// All faults but the kills, whose moments follow from the seed.
    pub(crate) const ALL: [Self; 2] = [Self::FullDisk, Self::ReadOnly];

    /// A kill at a random moment.
    pub(super) fn kill(random: &mut StdRng) -> Self {
        Self::Killed { after: Duration::from_millis(random.random_range(0..KILLED_WITHIN_MS)) }
    }

    /// Whether it needs a file system of the program's own.
    pub(super) const fn needs_disk(self) -> bool {
        matches!(self, Self::FullDisk | Self::ReadOnly)
    }

    /// The name of the kind in the report.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Killed { .. } => "SQLite: the demo killed",
            Self::FullDisk => "SQLite: the disk is full",
            Self::ReadOnly => "SQLite: the file system is read-only",
        }
    }

    /// Injects the fault, waits while it lasts, and heals it. Returns when it had ended.
    ///
    /// # Errors
    /// The fault cannot be injected or healed. The demo is broken then.
    pub(super) async fn happen(
        self,
        demo: &mut Demo,
        duration: Duration,
        random: &mut StdRng,
    ) -> Result<Instant> {
        match self {
            Self::Killed { after } => {
                sleep(after).await;
                demo.replica.kill()?;
                sleep(RESTART_DELAY).await;
                let ended = Instant::now();
                demo.replica.restart().await?;
                return Ok(ended);
            }
            Self::FullDisk => {
                let disk = &demo.disk;
                let deadline = Instant::now() + duration;
                while Instant::now() < deadline {
                    disk.fill_but(random.random_range(FEW_PAGES))?;
                    sleep(AGAIN).await;
                }
                disk.free()?;
            }
            Self::ReadOnly => {
                let disk = &demo.disk;
                // Files that are open stay writable, so the demo has to open them again.
                disk.fill()?;
                sleep(ALL_CONNECTIONS_FAIL).await;
                disk.make_read_only()?;
                disk.free()?;
                sleep(duration).await;
                disk.make_writable()?;
            }
        }
        Ok(Instant::now())
    }
}

impl fmt::Display for DemoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        if let Self::Killed { after } = self {
            write!(f, " after {} ms", after.as_millis())?;
        }
        Ok(())
    }
}
