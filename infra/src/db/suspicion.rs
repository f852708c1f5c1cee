//! Which idle connections of the pool are checked before use.
//!
//! A check is a round trip, so a connection that was idle for a moment is used without one. But connections usually break
//! together: after a failover or a restart of a pooler all of them are dead. So one that turns out to be broken makes
//! all suspect that were idle at that time. Each is checked once, and replaced if it does not respond.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use glasshouse_domain::failure::StoreFailure;
use sea_orm::DbErr;
use sqlx::{Connection, PgConnection};

use super::failure::{is_broken_connection, store_failure};

/// Connections that were idle for this long are always checked: a firewall may have dropped them silently.
const MAX_TRUSTED_IDLE: Duration = Duration::from_secs(10);

/// When a connection last turned out to be broken. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspicion(Arc<Mutex<Option<Instant>>>);

impl Suspicion {
    /// Makes all connections suspect that are idle now, if `error` says that a connection is broken. Returns whether it
    /// does.
    pub(super) fn raise_if_broken(&self, error: &DbErr) -> bool {
        let is_broken = is_broken_connection(error);
        if is_broken {
            self.raise();
        }
        is_broken
    }

    /// The domain's failure for an error in the middle of a transaction, whose connection may be broken.
    pub(super) fn failure(&self, error: DbErr) -> StoreFailure {
        self.raise_if_broken(&error);
        store_failure(error)
    }

    /// Makes all connections suspect that are idle now.
    pub(super) fn raise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection that was idle for `idle_for` is to be checked.
    pub(super) fn covers(&self, idle_for: Duration) -> bool {
        let raised = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle_for >= MAX_TRUSTED_IDLE || raised.is_some_and(|raised| raised.elapsed() <= idle_for)
    }
}

/// Checks that a connection responds in time.
pub(super) async fn responds(connection: &mut PgConnection, timeout: Duration) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(timeout, connection.ping()).await {
        Ok(response) => response.map(|()| true),
        Err(_elapsed) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_makes_those_suspect_that_were_idle_then() {
        let (suspicion, idle) = (Suspicion::default(), Duration::from_millis(500));
        assert!(!suspicion.covers(idle));
        assert!(suspicion.covers(MAX_TRUSTED_IDLE));
        suspicion.raise();
        assert!(suspicion.covers(idle));
        assert!(!suspicion.covers(Duration::ZERO), "it was used since");
    }

    #[test]
    fn other_errors_raise_no_suspicion() {
        let suspicion = Suspicion::default();
        assert!(!suspicion.raise_if_broken(&DbErr::RecordNotInserted));
        assert!(!suspicion.covers(Duration::from_secs(1)));
    }
}
