//! The queues in front of an OTLP receiver: bounded; what does not fit or is not accepted is dropped and counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many spans, or log records, a queue holds.
pub(crate) const CAPACITY: usize = 8192;

/// Spans on their way out. Telemetry is one for the whole process, and so is its queue.
pub(crate) static SPANS: Queue = Queue::new();
/// Log records on their way out over OTLP.
pub(crate) static LOG_RECORDS: Queue = Queue::new();

/// The number of items in a queue, and of those that were dropped.
#[derive(Debug)]
pub(crate) struct Queue {
    queued: AtomicUsize,
    dropped: AtomicU64,
}

impl Queue {
    const fn new() -> Self {
        Self { queued: AtomicUsize::new(0), dropped: AtomicU64::new(0) }
    }

    /// Takes a place in the queue; `false` if it is full, and the item counts as dropped.
    pub(crate) fn enter(&self) -> bool {
        let fits = self.queued.fetch_add(1, Ordering::Relaxed) < CAPACITY;
        if !fits {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }

    /// Gives back the places of a batch. Unless it was sent, its items count as dropped.
    pub(crate) fn leave(&self, count: usize, sent: bool) {
        self.queued.fetch_sub(count, Ordering::Relaxed);
        if !sent {
            self.dropped.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Items that were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_and_counts() {
        let queue = Queue::new();
        assert_eq!((0..CAPACITY + 3).filter(|_| queue.enter()).count(), CAPACITY);
        assert_eq!(queue.dropped(), 3);
        queue.leave(CAPACITY, false);
        assert_eq!(queue.dropped(), 3 + CAPACITY as u64);
        assert!(queue.enter());
    }
}
