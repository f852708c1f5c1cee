//! Full disks of Postgres.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

use super::inject::again_and_again;
use crate::system::System;

/// Which disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FullDisk {
    /// The one with the tables: they cannot grow.
    Data,
    /// The one with the write-ahead log: the server crashes, and cannot recover until there is space.
    Wal,
}

impl FullDisk {
    /// Fills the disk, and gives the space back. Returns whether the server missed the space.
    pub(super) async fn happen(self, system: &mut System, duration: Duration) -> Result<bool> {
        let postgres = &mut system.postgres;
        let (disk, complaint) = match self {
            Self::Data => (postgres.data_disk(), "could not extend file"),
            Self::Wal => (postgres.wal_disk(), "PANIC"),
        };
        let earlier = postgres.last_logged(complaint);
        disk.fill()?;
        again_and_again(duration, async || {
            // The server keeps a few segments of its log for later. It crashes when it has used them.
            if self == Self::Wal {
                let _ = postgres.execute(&["SELECT pg_switch_wal()"]).await;
            }
            Ok(())
        })
        .await?;
        disk.free()?;
        postgres.wait_until_ready().await?;
        Ok(postgres.last_logged(complaint) != earlier)
    }
}

impl fmt::Display for FullDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "Postgres: the disk of the data is full",
            Self::Wal => "Postgres: the disk of the write-ahead log is full",
        })
    }
}
