//! Applies migrations while the service runs: no migration makes its queries wait for long.

use std::time::{Duration, Instant};

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend, RuntimeErr, SqlxError, TransactionTrait};
use tokio::time::sleep;

/// Only one migrator at a time changes the schema. The number is arbitrary. The lock belongs to the transaction, because
/// a pooler such as PgBouncer has no sessions to which it could belong.
const ONE_MIGRATOR: &str = "SELECT pg_advisory_xact_lock(4912670853)";

/// The limit of a statement, which may rewrite a large table. Set in the transaction rather than as a parameter of the
/// session, which poolers such as PgBouncer reject.
const STATEMENT_TIMEOUT: &str = "SET LOCAL statement_timeout = '1h'";

/// The limit of the wait for a lock. All queries on a table wait behind a migration that waits for its lock, so this is
/// also how long they may wait.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";

/// The time between two attempts to get a lock, in which the queries that waited are done.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// How long a migration tries to get its locks.
const LOCK_RETRY_TIMEOUT: Duration = Duration::from_secs(600);

/// A lock could not be had in time (55P03), or only at the cost of a deadlock (40P01).
const BLOCKED: [&str; 2] = ["55P03", "40P01"];

/// Applies the pending migrations of `M`, up to and including the one with the name `last` if that is given. Migrations in
/// the database that `M` does not list are those of a later version, and stay.
///
/// On Postgres each migration is a transaction of its own, so that it holds its locks no longer than it must. One that
/// cannot get a lock within half a second releases what it has, reports the error to `on_blocked`, and is repeated.
///
/// # Errors
/// A migration fails, or gets no lock for ten minutes. Those before it stay applied.
pub async fn apply<M: MigratorTrait>(
    database: &DatabaseConnection,
    last: Option<&str>,
    mut on_blocked: impl FnMut(&DbErr),
) -> Result<(), DbErr> {
    if database.get_database_backend() == DbBackend::Sqlite {
        while is_pending::<M>(database, last).await? {
            M::up(database, Some(1)).await?;
        }
        return Ok(());
    }
    let mut deadline = Instant::now() + LOCK_RETRY_TIMEOUT;
    loop {
        match apply_next::<M>(database, last).await {
            Ok(true) => deadline = Instant::now() + LOCK_RETRY_TIMEOUT,
            Ok(false) => return Ok(()),
            Err(error) if is_blocked(&error) && Instant::now() < deadline => {
                on_blocked(&error);
                sleep(RETRY_INTERVAL).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Applies the oldest pending migration. Returns whether there was one.
async fn apply_next<M: MigratorTrait>(
    database: &DatabaseConnection,
    last: Option<&str>,
) -> Result<bool, DbErr> {
    let transaction = database.begin().await?;
    let applied = async {
        for statement in [STATEMENT_TIMEOUT, ONE_MIGRATOR, LOCK_TIMEOUT] {
            transaction.execute_unprepared(statement).await?;
        }
        let is_pending = is_pending::<M>(&transaction, last).await?;
        if is_pending {
            M::up(&transaction, Some(1)).await?;
        }
        Ok(is_pending)
    };
    match applied.await {
        Ok(is_pending) => transaction.commit().await.map(|()| is_pending),
        Err(error) => {
            // Whether or not the server still answers, the transaction has no effect.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// Whether a migration is missing, up to and including `last`.
async fn is_pending<M: MigratorTrait>(
    connection: &impl ConnectionTrait,
    last: Option<&str>,
) -> Result<bool, DbErr> {
    let pending = M::get_pending_migrations(connection).await?;
    let names: Vec<_> = M::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let position = |wanted: &str| names.iter().position(|name| name == wanted);
    let end = match last {
        Some(last) => {
            position(last).ok_or_else(|| DbErr::Migration(format!("no migration is named {last}")))?
        }
        None => names.len(),
    };
    Ok(pending.first().and_then(|next| position(next.name())).is_some_and(|next| next <= end))
}

fn is_blocked(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    match &**cause {
        SqlxError::Database(cause) => cause.code().is_some_and(|code| BLOCKED.contains(&&*code)),
        _ => false,
    }
}
