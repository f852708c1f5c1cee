//! A transaction: the statements of one connection from its beginning to its end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use super::pooled_connection::PooledConnection;

/// The timeout of a rollback. It waits for a statement whose request was cancelled.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// An open transaction. Dropped without [`commit`](Self::commit), it is rolled back in the background.
pub(super) struct OpenTransaction {
    backend: DbBackend,
    /// `None` when it has ended.
    open: Mutex<Option<Held>>,
}

/// What an open transaction holds.
struct Held {
    connection: PooledConnection,
    /// The write permit of SQLite. Declared last, so that the next writer begins after the end of this one.
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl OpenTransaction {
    /// The transaction that begins on a connection with its next statement.
    pub(super) fn on(
        backend: DbBackend,
        connection: PooledConnection,
        permit: Option<Arc<OwnedSemaphorePermit>>,
    ) -> Self {
        Self { backend, open: Mutex::new(Some(Held { connection, _permit: permit })) }
    }

    /// The first row of one or several statements that are not prepared, in one round trip. `name` is what telemetry shows of
    /// them: they contain values.
    pub(super) async fn first_unprepared(
        &self,
        name: &str,
        sql: String,
    ) -> Result<Option<QueryResult>, DbErr> {
        let mut open = self.open.lock().await;
        open.as_mut().ok_or_else(ended)?.connection.first_unprepared(name, sql).await
    }

    /// Commits the transaction, and gives the connection back. If that fails, or is cancelled, the connection is closed: it
    /// may still be in the transaction.
    pub(super) async fn commit(&self) -> Result<(), DbErr> {
        let mut held = self.open.lock().await.take().ok_or_else(ended)?;
        held.connection.execute_unprepared("COMMIT").await?;
        held.connection.give_back();
        Ok(())
    }
}

#[async_trait]
impl ConnectionTrait for OpenTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut open = self.open.lock().await;
        open.as_mut().ok_or_else(ended)?.connection.execute(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut open = self.open.lock().await;
        open.as_mut().ok_or_else(ended)?.connection.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut open = self.open.lock().await;
        open.as_mut().ok_or_else(ended)?.connection.first(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut open = self.open.lock().await;
        open.as_mut().ok_or_else(ended)?.connection.all(statement).await
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let Some(held) = self.open.get_mut().take() else { return };
        // Without a runtime the process ends, and with it the connection.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(roll_back(held));
        }
    }
}

/// Rolls a transaction back, and gives its connection back. If that fails, the connection is closed. SQLite rolls a
/// transaction back by itself when the disk is full or fails; then there is none to roll back, which is such a failure.
async fn roll_back(mut held: Held) {
    let rollback = held.connection.execute_unprepared("ROLLBACK");
    if let Ok(Ok(_)) = tokio::time::timeout(ROLLBACK_TIMEOUT, rollback).await {
        held.connection.give_back();
    }
}

/// A statement came after the end of the transaction.
fn ended() -> DbErr {
    let cause = io::Error::new(io::ErrorKind::NotConnected, "the transaction has ended");
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(SqlxError::Io(cause))))
}
