//! The limits of statements and transactions.
//!
//! The server's limits have no effect on a connection that was lost without a word, by a firewall or with the machine at its
//! other end: no answer comes. So every statement has a deadline in this process too, and so have `COMMIT` and, in the
//! check of a released connection, `ROLLBACK`.
//!
//! Each transaction on Postgres sets its limits for itself, in a statement that it sends anyway. As parameters of the session
//! they would be lost behind a pooler such as PgBouncer, which gives each transaction another session, or rejects the
//! parameters.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqlxError, Statement};
use time::OffsetDateTime;

/// How long a transaction may wait for its next statement. After it, Postgres rolls it back: a process that is frozen, or
/// cut off, does not keep its locks. It is shorter than the default timeout of a statement, so that a statement that waits
/// for such a lock gets it. The service itself needs milliseconds between two statements.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(3);

/// The column with the time of the database. A transaction reads it together with its limits, and decides by it: the clocks of
/// processes may be wrong, and differ from each other.
pub(super) const NOW: &str = "clock_timestamp() AS now";

/// How much longer than the server this process waits for a statement. The server is to end it first, because its error
/// says why.
const MARGIN: Duration = Duration::from_secs(1);

/// The limits of statements and transactions. The wait for a lock is part of the statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The timeout of a statement.
    pub(super) statement: Duration,
}

impl Limits {
    /// Runs a statement or a commit with a deadline. When it passes, the connection counts as broken: the commit may have
    /// had its effect.
    pub(super) async fn within_deadline<T>(
        self,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let answer = tokio::time::timeout(self.statement + MARGIN, statement).await;
        answer.unwrap_or_else(|_elapsed| Err(no_answer()))
    }

    /// The columns of a `SELECT` that sets the limits until the end of the transaction. They contain numbers alone.
    pub(super) fn as_columns(self) -> String {
        format!(
            "set_config('statement_timeout', '{}', true), \
             set_config('idle_in_transaction_session_timeout', '{}', true)",
            self.statement.as_millis(),
            IDLE_IN_TRANSACTION.as_millis()
        )
    }

    /// Sets the limits of a transaction without a tenant. Returns the time of the database.
    pub(super) async fn set(self, transaction: &DatabaseTransaction) -> Result<OffsetDateTime, DbErr> {
        let sql = format!("SELECT {}, {NOW}", self.as_columns());
        let row = transaction.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        let missing = || DbErr::RecordNotFound("the time of the database".to_owned());
        row.ok_or_else(missing)?.try_get("", "now")
    }
}

fn no_answer() -> DbErr {
    let cause = io::Error::new(io::ErrorKind::TimedOut, "the database did not answer in time");
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(SqlxError::Io(cause))))
}
