//! The queues in front of an OTLP receiver: bounded, and what does not fit or cannot be sent is counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many spans, or lines, may wait to be sent.
pub(super) const CAPACITY: usize = 8192;

/// Spans on their way out. Telemetry is one for the whole process, and so is its queue.
pub(super) static SPANS: Queue = Queue::new();
/// Log lines on their way out over OTLP.
pub(super) static LINES: Queue = Queue::new();

/// How full a queue is, and what it lost.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: AtomicUsize,
    lost: AtomicU64,
}

impl Queue {
    const fn new() -> Self {
        Self { waiting: AtomicUsize::new(0), lost: AtomicU64::new(0) }
    }

    /// Takes a place, or counts the loss.
    pub(super) fn enter(&self) -> bool {
        let fits = self.waiting.fetch_add(1, Ordering::Relaxed) < CAPACITY;
        if !fits {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }

    /// Gives places back, after what was in them was sent or lost.
    pub(super) fn leave(&self, count: usize, sent: bool) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        if !sent {
            self.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// What was lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_loses_and_counts() {
        let queue = Queue::new();
        assert_eq!((0..CAPACITY + 3).filter(|_| queue.enter()).count(), CAPACITY);
        assert_eq!(queue.lost(), 3);
        queue.leave(CAPACITY, false);
        assert_eq!(queue.lost(), 3 + CAPACITY as u64);
        assert!(queue.enter());
    }
}
