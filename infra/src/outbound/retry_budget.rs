//! The retry budget: bounds the load that retries add to a dependency that fails.
//!
//! With a number of attempts alone, a dependency that is too slow or too busy gets that many times its load, which keeps it from
//! recovering. With a budget, retries are a ratio of the calls, as in Finagle and Envoy: those that are rare are all sent,
//! and those of an outage are a fifth of the load.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The retries that a call pays for.
const RATIO: f64 = 0.2;

/// The retries that a second pays for, so that a process with few calls can retry them.
const PER_SECOND: f64 = 1.0;

/// The most retries that are saved up.
const SAVED: f64 = 10.0;

/// The retries that the client of one dependency may send now.
#[derive(Debug)]
pub(super) struct RetryBudget(Mutex<Balance>);

#[derive(Debug)]
struct Balance {
    retries: f64,
    at: Instant,
}

impl RetryBudget {
    /// A full budget.
    pub(super) const fn new(now: Instant) -> Self {
        Self(Mutex::new(Balance { retries: SAVED, at: now }))
    }

    /// Adds the share of a call.
    pub(super) fn add_call(&self, now: Instant) {
        self.update(now, |retries| ((retries + RATIO).min(SAVED), ()));
    }

    /// Takes a retry, and returns whether there was one.
    pub(super) fn take(&self, now: Instant) -> bool {
        self.update(now, |retries| if retries >= 1.0 { (retries - 1.0, true) } else { (retries, false) })
    }

    /// Adds what the time since the last update pays for, and then changes the balance.
    fn update<T>(&self, now: Instant, change: impl FnOnce(f64) -> (f64, T)) -> T {
        // The balance is valid after each assignment, so a poisoned lock still holds a valid one.
        let mut balance = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(balance.at).as_secs_f64();
        let saved = (balance.retries + passed * PER_SECOND).min(SAVED);
        balance.at = balance.at.max(now);
        let (retries, result) = change(saved);
        balance.retries = retries;
        result
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The number of retries that `calls` may send if each wants two.
    fn retries(budget: &RetryBudget, calls: usize, now: Instant) -> usize {
        let mut sent = 0;
        for _ in 0..calls {
            budget.add_call(now);
            sent += (0..2).filter(|_| budget.take(now)).count();
        }
        sent
    }

    #[test]
    fn retries_are_a_ratio_of_the_calls() {
        let now = Instant::now();
        let budget = RetryBudget::new(now);
        assert_eq!(retries(&budget, 5, now), 10, "few are all sent");
        let sent = retries(&budget, 1000, now);
        assert!((195..=205).contains(&sent), "{sent}");
    }

    #[test]
    fn a_process_with_few_calls_can_retry_them() {
        let now = Instant::now();
        let budget = RetryBudget::new(now);
        while budget.take(now) {}
        let later = now + Duration::from_secs(2);
        assert_eq!(retries(&budget, 1, later), 2);
        assert_eq!(retries(&budget, 1, later), 0);
        assert!(!budget.take(now), "an earlier time adds nothing");
    }

    #[test]
    fn quiet_times_and_successes_save_few_retries_up() {
        let now = Instant::now();
        let budget = RetryBudget::new(now);
        for _ in 0..1000 {
            budget.add_call(now);
        }
        let later = now + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| budget.take(later)).count(), 10);
    }
}
