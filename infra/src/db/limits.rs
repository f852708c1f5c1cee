//! The limits of a transaction on Postgres.
//!
//! Each transaction sets them for itself, in a statement that it sends anyway. As parameters of the session they would be
//! lost behind a pooler such as PgBouncer, which gives each transaction another session, or rejects the parameters.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

/// How long a transaction may wait for its next statement. After it, Postgres rolls it back: a process that is frozen, or
/// cut off, does not keep its locks.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(30);

/// The limits of a transaction. The wait for a lock is part of the statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The timeout of a statement.
    pub(super) statement: Duration,
}

impl Limits {
    /// The columns of a `SELECT` that sets the limits until the end of the transaction. They contain numbers alone.
    pub(super) fn as_columns(self) -> String {
        format!(
            "set_config('statement_timeout', '{}', true), \
             set_config('idle_in_transaction_session_timeout', '{}', true)",
            self.statement.as_millis(),
            IDLE_IN_TRANSACTION.as_millis()
        )
    }

    /// Sets the limits of a transaction without a tenant.
    pub(super) async fn set(self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        let sql = format!("SELECT {}", self.as_columns());
        transaction.execute_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        Ok(())
    }
}
