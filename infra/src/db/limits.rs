//! The limits of statements and transactions.
//!
//! The server's limits have no effect on a connection that was lost without a word, by a firewall or with the machine at its
//! other end: no answer comes. So every statement has a deadline in this process too, and so have `COMMIT` and `ROLLBACK`.
//!
//! Each transaction on Postgres sets its limits for itself, together with `BEGIN`. As parameters of the session
//! they would be lost behind a pooler such as PgBouncer, which gives each transaction another session, or rejects the
//! parameters. A read of one statement has no `BEGIN`: the parameters of its session limit it, or behind a pooler those of the
//! login role. Without either, this process gives the statement up, and the server ends it when it finds that its client is gone.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// How long a transaction may wait for its next statement. After it, Postgres rolls it back: a process that is frozen, or
/// cut off, does not keep its locks. It is shorter than the default timeout of a statement, so that a statement that waits
/// for such a lock gets it. The service itself needs milliseconds between two statements.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(3);

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

    /// The timeout of a statement for the server, in milliseconds.
    pub(super) const fn statement_ms(self) -> u128 {
        self.statement.as_millis()
    }

    /// How long a transaction may wait for its next statement, in milliseconds.
    pub(super) const fn idle_ms(self) -> u128 {
        IDLE_IN_TRANSACTION.as_millis()
    }
}

fn no_answer() -> DbErr {
    let cause = io::Error::new(io::ErrorKind::TimedOut, "the database did not answer in time");
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(SqlxError::Io(cause))))
}
