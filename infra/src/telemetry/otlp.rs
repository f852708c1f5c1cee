//! The queue in front of an OTLP receiver: bounded, and what does not fit or cannot be sent is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many spans may wait to be sent.
pub(super) const QUEUE: usize = 8192;

/// How full a queue is, and what it lost.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    waiting: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    /// Takes a place, or counts the loss.
    pub(super) fn enter(&self) -> bool {
        let fits = self.waiting.fetch_add(1, Ordering::Relaxed) < QUEUE;
        if !fits {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }

    /// Gives places back, after they were sent or lost.
    pub(super) fn leave(&self, count: usize, sent: bool) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        if !sent {
            self.dropped.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// What was lost so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
