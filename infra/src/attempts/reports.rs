//! Limits how often throttled attempts are reported.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The interval between two reports about one limit.
const INTERVAL: Duration = Duration::from_secs(1);

/// The attempts above each limit that are not reported yet.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<HashMap<&'static str, Unreported>>);

#[derive(Debug, Default)]
struct Unreported {
    count: u64,
    last_report: Option<Instant>,
}

impl Reports {
    /// Counts an attempt above a limit. Returns the number of unreported ones when a report is due.
    pub(super) fn count(&self, limit: &'static str, now: Instant) -> Option<u64> {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unreported = limits.entry(limit).or_default();
        unreported.count += 1;
        if unreported.last_report.is_some_and(|last| now < last + INTERVAL) {
            return None;
        }
        unreported.last_report = Some(now);
        Some(std::mem::take(&mut unreported.count))
    }
}
