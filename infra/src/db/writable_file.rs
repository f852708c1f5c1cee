//! The file of a SQLite database is used only while it can be written.
//!
//! SQLite opens a file that it cannot write for reading. All connections of a process share the state of the write-ahead log, and
//! as long as one of them reads it like that, none that is opened later can write: the process would need a restart
//! after the file is writable again.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Access, access};
use rustix::io::Errno;
use sea_orm::{DbErr, RuntimeErr};

use super::connections::Connections;

/// The file of a database, and the connections to it.
#[derive(Clone, Debug)]
pub(super) struct WritableFile {
    path: Arc<Path>,
    connections: Connections,
}

impl WritableFile {
    pub(super) fn new(path: &Path, connections: Connections) -> Self {
        Self { path: path.into(), connections }
    }

    /// Checks that the file can be written. If it cannot, closes the connections that are idle.
    ///
    /// # Errors
    /// The file is read-only. What else may be wrong, SQLite reports.
    pub(super) async fn check(&self) -> Result<(), DbErr> {
        if !matches!(access(&*self.path, Access::WRITE_OK), Err(Errno::ROFS | Errno::ACCESS | Errno::PERM)) {
            return Ok(());
        }
        // The file cannot be changed, so a connection that does not close well leaves nothing behind.
        let _closed = self.connections.close_idle().await;
        let error = format!("the database file {} is read-only: make it writable", self.path.display());
        Err(DbErr::Conn(RuntimeErr::Internal(error)))
    }
}
