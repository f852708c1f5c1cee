//! Which connections of the pool are checked before use, and which are replaced.
//!
//! A check is a round trip, so a connection that was idle for a moment is used without one. But connections usually break
//! together: after a failover or a restart of a pooler all of them are dead. So one that turns out to be broken makes
//! all suspect that were idle at that time. Each is checked once, and replaced if it does not respond.
//!
//! A connection to a server that accepts no writes does respond: after a failover it leads to the former primary for as
//! long as it lives. And where a firewall has lost its state, each check takes until its timeout. So one that turns out to be
//! read-only, or does not respond to its check, makes all outdated that are open at that time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glasshouse_domain::failure::StoreFailure;
use sea_orm::DbErr;

use super::failure::store_failure;
use super::meaning::Meaning;

/// Connections that were idle for this long are always checked: a firewall may have dropped them silently.
const MAX_TRUSTED_IDLE: Duration = Duration::from_secs(10);

/// The minimum time between two replacements of all connections: a database that stays read-only does not get a login for
/// every write.
const REPLACEMENT_INTERVAL: Duration = Duration::from_secs(1);

/// What is known of the connections of a pool. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspicion(Arc<Mutex<Findings>>);

#[derive(Debug, Default)]
struct Findings {
    /// When a connection last turned out to be broken.
    broken: Option<Instant>,
    /// When a connection last turned out to be read-only, or did not respond to its check.
    outdating: Option<Instant>,
}

impl Suspicion {
    /// Notes what `error` says about the connections. Returns whether the same operation may succeed on another one.
    pub(super) fn note(&self, error: &DbErr) -> bool {
        match Meaning::of(error) {
            Meaning::Disconnected => self.raise(),
            Meaning::ReadOnly => self.outdate(),
            _ => return false,
        }
        true
    }

    /// The domain's failure for an error in the middle of a transaction, whose connection may be broken.
    pub(super) fn failure(&self, error: DbErr) -> StoreFailure {
        self.note(&error);
        store_failure(error)
    }

    /// Makes all connections suspect that are idle now.
    pub(super) fn raise(&self) {
        self.findings().broken = Some(Instant::now());
    }

    /// Makes all connections outdated that are open now.
    pub(super) fn outdate(&self) {
        let mut findings = self.findings();
        if findings.outdating.is_none_or(|found| found.elapsed() >= REPLACEMENT_INTERVAL) {
            findings.outdating = Some(Instant::now());
        }
    }

    /// Whether a connection that was idle for `idle_for` is to be checked.
    pub(super) fn covers(&self, idle_for: Duration) -> bool {
        let broken = self.findings().broken;
        idle_for >= MAX_TRUSTED_IDLE || broken.is_some_and(|found| found.elapsed() <= idle_for)
    }

    /// Whether a connection that is open for `age` is to be replaced.
    pub(super) fn outdates(&self, age: Duration) -> bool {
        self.findings().outdating.is_some_and(|found| found.elapsed() <= age)
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert!(!suspicion.note(&DbErr::RecordNotInserted));
        assert!(!suspicion.covers(Duration::from_secs(1)));
        assert!(!suspicion.outdates(Duration::from_secs(1)));
    }

    #[test]
    fn a_read_only_connection_makes_those_outdated_that_are_open_then() {
        let (suspicion, age) = (Suspicion::default(), Duration::from_secs(3600));
        assert!(!suspicion.outdates(age));
        suspicion.outdate();
        assert!(suspicion.outdates(age));
        assert!(!suspicion.outdates(Duration::ZERO), "it was opened since");
        assert!(!suspicion.covers(Duration::ZERO));
    }
}
