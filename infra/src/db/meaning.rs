//! What an error of the database means, for the response, for a repetition of the transaction, and for the connection. Two
//! tables of error codes, one for each database, are the only place that decides it.

use sea_orm::{DbErr, RuntimeErr, SqlxError};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// What an error of the database means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The database rolled the transaction back in favor of another one. The transaction has no effect, and succeeds if
    /// it is repeated: the service does.
    RolledBack,
    /// The server accepts no writes, as a standby after a failover. The transaction has no effect. The service repeats it
    /// on a new connection, for the address may lead to the new primary by now; then the response is 503.
    ReadOnly,
    /// The server lacks a resource or time: 503. Repeating it at once would add to the load.
    Unavailable,
    /// The connection is lost or unusable: 503. If a commit was in flight, the transaction may have its effect. So it is
    /// not repeated, unless nothing but its beginning was sent.
    Disconnected,
    /// A constraint rejects the change. The use case responds to those that clients can violate; another one is a defect.
    Conflict,
    /// A defect of the service, its schema or its data: 500. A retry does not help.
    Defect,
}

/// SQLSTATEs of Postgres, and classes of them: their first two characters. A code takes precedence over its class, and all
/// others are defects. <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const SQLSTATES: [(&str, Meaning); 27] = [
    ("08", Meaning::Disconnected), // connection exception; PgBouncer reports most of its own errors as 08P01
    ("23", Meaning::Conflict),     // integrity constraint violation
    ("25006", Meaning::ReadOnly),  // read-only transaction
    ("25P03", Meaning::Disconnected), // idle-in-transaction timeout: the process was frozen in a transaction
    ("25P04", Meaning::Disconnected), // transaction timeout
    ("26000", Meaning::Disconnected), // unknown prepared statement: the pooler has another session behind the connection
    ("28", Meaning::Unavailable),     // login rejected, for example after a change of the password
    ("3D000", Meaning::Unavailable),  // database does not exist, for example while it is restored
    ("40", Meaning::Unavailable),     // transaction rollback, among them 40003: completion unknown
    ("40001", Meaning::RolledBack),   // serialization failure, or conflict with the recovery of a standby
    ("40P01", Meaning::RolledBack),   // deadlock
    ("42P05", Meaning::Disconnected), // duplicate prepared statement: as 26000
    ("53", Meaning::Unavailable),     // insufficient resources: disk, memory, connections
    ("55006", Meaning::Unavailable),  // object in use
    ("55P03", Meaning::Unavailable),  // lock not available
    ("57", Meaning::Unavailable),     // operator intervention, among them 57014: statement timeout
    ("57P01", Meaning::Disconnected), // administrator shutdown, or terminated session
    ("57P02", Meaning::Disconnected), // crash of another session
    ("57P03", Meaning::Disconnected), // cannot connect now: the server starts or stops
    ("57P04", Meaning::Disconnected), // database dropped
    ("57P05", Meaning::Disconnected), // idle-session timeout
    ("58", Meaning::Unavailable),     // error of the operating system, among them 58030: I/O error
    ("72000", Meaning::Unavailable),  // snapshot too old
    ("F0000", Meaning::Unavailable),  // error in the server's configuration
    ("XX000", Meaning::Defect),       // internal error
    ("XX001", Meaning::Defect),       // corrupt data
    ("XX002", Meaning::Defect),       // corrupt index
];

/// Result codes of SQLite. An extended code takes precedence over its primary one, which is its lowest byte, and all others
/// are defects. <https://www.sqlite.org/rescode.html>
const SQLITE_CODES: [(u32, Meaning); 18] = [
    (4, Meaning::Unavailable), // SQLITE_ABORT, among them 516: another statement rolled the transaction back
    (5, Meaning::Unavailable), // SQLITE_BUSY: another process writes
    (517, Meaning::RolledBack), // SQLITE_BUSY_SNAPSHOT: another process wrote since the transaction began to read
    (6, Meaning::Unavailable),  // SQLITE_LOCKED
    (7, Meaning::Unavailable),  // SQLITE_NOMEM
    (8, Meaning::ReadOnly), // SQLITE_READONLY: the file was not writable, or moved, when the connection opened it
    (9, Meaning::Unavailable), // SQLITE_INTERRUPT
    (10, Meaning::Disconnected), // SQLITE_IOERR: a commit may or may not be on the disk
    (11, Meaning::Defect),  // SQLITE_CORRUPT
    (13, Meaning::Unavailable), // SQLITE_FULL: the disk is full
    (14, Meaning::Unavailable), // SQLITE_CANTOPEN
    (15, Meaning::Unavailable), // SQLITE_PROTOCOL: the lock of the file could not be had
    (17, Meaning::Disconnected), // SQLITE_SCHEMA: the schema changed below a prepared statement
    (19, Meaning::Conflict), // SQLITE_CONSTRAINT
    (22, Meaning::Unavailable), // SQLITE_NOLFS: the file system does not take a file of this size
    (23, Meaning::Defect),  // SQLITE_AUTH
    (24, Meaning::Defect),  // SQLITE_FORMAT
    (26, Meaning::Defect),  // SQLITE_NOTADB
];

impl Meaning {
    /// What an error means.
    pub(super) fn of(error: &DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(_) => Self::Unavailable,
            // No connection could be opened. Whatever the reason, the request is not at fault.
            DbErr::Conn(RuntimeErr::SqlxError(cause)) => match Self::of_driver(cause) {
                Self::Conflict | Self::Defect => Self::Unavailable,
                meaning => meaning,
            },
            // The file of a SQLite database is read-only.
            DbErr::Conn(RuntimeErr::Internal(_)) => Self::Unavailable,
            DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
                Self::of_driver(cause)
            }
            _ => Self::Defect,
        }
    }

    fn of_driver(error: &SqlxError) -> Self {
        match error {
            SqlxError::Database(cause) => {
                let code = cause.code().unwrap_or_default();
                match cause.try_downcast_ref::<PgDatabaseError>() {
                    // Such an error ends the session, whatever its code.
                    Some(error) if matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic) => {
                        Self::Disconnected
                    }
                    Some(_) => Self::of_sqlstate(&code),
                    None => code.parse().map_or(Self::Defect, Self::of_sqlite_code),
                }
            }
            // The driver and the server no longer agree on what was said, or the driver has given up.
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::Protocol(_)
            | SqlxError::BeginFailed
            | SqlxError::InvalidSavePointStatement
            | SqlxError::WorkerCrashed => Self::Disconnected,
            SqlxError::PoolTimedOut | SqlxError::PoolClosed => Self::Unavailable,
            _ => Self::Defect,
        }
    }

    fn of_sqlstate(code: &str) -> Self {
        let class = code.get(..2).unwrap_or_default();
        find(&SQLSTATES, code).or_else(|| find(&SQLSTATES, class)).unwrap_or(Self::Defect)
    }

    fn of_sqlite_code(code: u32) -> Self {
        find(&SQLITE_CODES, code).or_else(|| find(&SQLITE_CODES, code & 0xff)).unwrap_or(Self::Defect)
    }

    /// Whether a client that retries later may succeed.
    pub(super) const fn is_temporary(self) -> bool {
        !matches!(self, Self::Conflict | Self::Defect)
    }

    /// Whether the transaction certainly has no effect, and a repetition may succeed at once.
    pub(super) const fn is_repeatable(self) -> bool {
        matches!(self, Self::RolledBack | Self::ReadOnly)
    }
}

fn find<K: PartialEq + Copy>(table: &[(K, Meaning)], key: K) -> Option<Meaning> {
    table.iter().find(|(code, _)| *code == key).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;
    use std::sync::Arc;

    use sea_orm::ConnAcquireErr;

    use super::*;

    #[test]
    fn every_sqlstate_of_the_tables_has_its_meaning() {
        for (code, meaning) in [
            ("08000", Meaning::Disconnected),
            ("08006", Meaning::Disconnected),
            ("08P01", Meaning::Disconnected),
            ("22001", Meaning::Defect),
            ("23505", Meaning::Conflict),
            ("23514", Meaning::Conflict),
            ("25006", Meaning::ReadOnly),
            ("25P02", Meaning::Defect),
            ("25P03", Meaning::Disconnected),
            ("25P04", Meaning::Disconnected),
            ("26000", Meaning::Disconnected),
            ("28P01", Meaning::Unavailable),
            ("3D000", Meaning::Unavailable),
            ("40000", Meaning::Unavailable),
            ("40001", Meaning::RolledBack),
            ("40002", Meaning::Unavailable),
            ("40003", Meaning::Unavailable),
            ("40P01", Meaning::RolledBack),
            ("42501", Meaning::Defect),
            ("42601", Meaning::Defect),
            ("42P01", Meaning::Defect),
            ("42P05", Meaning::Disconnected),
            ("53000", Meaning::Unavailable),
            ("53100", Meaning::Unavailable),
            ("53200", Meaning::Unavailable),
            ("53300", Meaning::Unavailable),
            ("53400", Meaning::Unavailable),
            ("54000", Meaning::Defect),
            ("55000", Meaning::Defect),
            ("55006", Meaning::Unavailable),
            ("55P03", Meaning::Unavailable),
            ("57000", Meaning::Unavailable),
            ("57014", Meaning::Unavailable),
            ("57P01", Meaning::Disconnected),
            ("57P02", Meaning::Disconnected),
            ("57P03", Meaning::Disconnected),
            ("57P04", Meaning::Disconnected),
            ("57P05", Meaning::Disconnected),
            ("58000", Meaning::Unavailable),
            ("58030", Meaning::Unavailable),
            ("72000", Meaning::Unavailable),
            ("F0000", Meaning::Unavailable),
            ("P0001", Meaning::Defect),
            ("XX000", Meaning::Defect),
            ("XX001", Meaning::Defect),
            ("XX002", Meaning::Defect),
            ("", Meaning::Defect),
        ] {
            assert_eq!(Meaning::of_sqlstate(code), meaning, "{code}");
        }
    }

    #[test]
    fn every_result_code_of_sqlite_has_its_meaning() {
        for (code, meaning) in [
            (1, Meaning::Defect),          // SQLITE_ERROR
            (2, Meaning::Defect),          // SQLITE_INTERNAL
            (3, Meaning::Defect),          // SQLITE_PERM
            (4, Meaning::Unavailable),     // SQLITE_ABORT
            (516, Meaning::Unavailable),   // SQLITE_ABORT_ROLLBACK
            (5, Meaning::Unavailable),     // SQLITE_BUSY
            (261, Meaning::Unavailable),   // SQLITE_BUSY_RECOVERY
            (517, Meaning::RolledBack),    // SQLITE_BUSY_SNAPSHOT
            (773, Meaning::Unavailable),   // SQLITE_BUSY_TIMEOUT
            (6, Meaning::Unavailable),     // SQLITE_LOCKED
            (7, Meaning::Unavailable),     // SQLITE_NOMEM
            (8, Meaning::ReadOnly),        // SQLITE_READONLY
            (1032, Meaning::ReadOnly),     // SQLITE_READONLY_DBMOVED
            (9, Meaning::Unavailable),     // SQLITE_INTERRUPT
            (10, Meaning::Disconnected),   // SQLITE_IOERR
            (266, Meaning::Disconnected),  // SQLITE_IOERR_READ
            (778, Meaning::Disconnected),  // SQLITE_IOERR_WRITE
            (1034, Meaning::Disconnected), // SQLITE_IOERR_FSYNC
            (4874, Meaning::Disconnected), // SQLITE_IOERR_SHMSIZE
            (11, Meaning::Defect),         // SQLITE_CORRUPT
            (12, Meaning::Defect),         // SQLITE_NOTFOUND
            (13, Meaning::Unavailable),    // SQLITE_FULL
            (14, Meaning::Unavailable),    // SQLITE_CANTOPEN
            (15, Meaning::Unavailable),    // SQLITE_PROTOCOL
            (17, Meaning::Disconnected),   // SQLITE_SCHEMA
            (18, Meaning::Defect),         // SQLITE_TOOBIG
            (19, Meaning::Conflict),       // SQLITE_CONSTRAINT
            (2067, Meaning::Conflict),     // SQLITE_CONSTRAINT_UNIQUE
            (21, Meaning::Defect),         // SQLITE_MISUSE
            (22, Meaning::Unavailable),    // SQLITE_NOLFS
            (23, Meaning::Defect),         // SQLITE_AUTH
            (24, Meaning::Defect),         // SQLITE_FORMAT
            (26, Meaning::Defect),         // SQLITE_NOTADB
        ] {
            assert_eq!(Meaning::of_sqlite_code(code), meaning, "{code}");
        }
    }

    #[test]
    fn no_code_is_listed_twice() {
        let sqlstates: BTreeSet<_> = SQLSTATES.iter().map(|(code, _)| code).collect();
        assert_eq!(sqlstates.len(), SQLSTATES.len());
        assert!(sqlstates.iter().all(|code| [2, 5].contains(&code.len())));
        let codes: BTreeSet<_> = SQLITE_CODES.iter().map(|(code, _)| code).collect();
        assert_eq!(codes.len(), SQLITE_CODES.len());
    }

    #[test]
    fn errors_of_the_driver_are_about_the_connection() {
        let cause = |error: SqlxError| RuntimeErr::SqlxError(Arc::new(error));
        let refused = || SqlxError::Io(io::ErrorKind::ConnectionRefused.into());
        for (error, meaning) in [
            (DbErr::ConnectionAcquire(ConnAcquireErr::Timeout), Meaning::Unavailable),
            (DbErr::Conn(cause(refused())), Meaning::Disconnected),
            (DbErr::Query(cause(refused())), Meaning::Disconnected),
            (DbErr::Exec(cause(SqlxError::Protocol("out of step".to_owned()))), Meaning::Disconnected),
            (DbErr::Exec(cause(SqlxError::WorkerCrashed)), Meaning::Disconnected),
            (DbErr::Query(cause(SqlxError::PoolTimedOut)), Meaning::Unavailable),
            // No connection could be opened.
            (DbErr::Conn(cause(SqlxError::ColumnNotFound("id".to_owned()))), Meaning::Unavailable),
            (DbErr::Query(cause(SqlxError::ColumnNotFound("id".to_owned()))), Meaning::Defect),
            (DbErr::RecordNotInserted, Meaning::Defect),
        ] {
            assert_eq!(Meaning::of(&error), meaning, "{error:?}");
        }
    }

    #[test]
    fn only_what_has_no_effect_is_repeated_and_only_defects_are_internal_errors() {
        for (meaning, is_temporary, is_repeatable) in [
            (Meaning::RolledBack, true, true),
            (Meaning::ReadOnly, true, true),
            (Meaning::Unavailable, true, false),
            (Meaning::Disconnected, true, false),
            (Meaning::Conflict, false, false),
            (Meaning::Defect, false, false),
        ] {
            let found = (meaning.is_temporary(), meaning.is_repeatable());
            assert_eq!(found, (is_temporary, is_repeatable), "{meaning:?}");
        }
    }
}
