//! How long transactions wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The time that transactions wait for a connection of the pool, and writers of SQLite for each other. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct QueueDelay(Arc<Queues>);

#[derive(Debug, Default)]
struct Queues {
    pool: Queue,
    writers: Queue,
}

#[derive(Debug)]
struct Queue {
    waiting: AtomicUsize,
    /// The shortest wait that ended since the last look, in nanoseconds; the maximum if none did.
    shortest: AtomicU64,
    created: Instant,
    /// When the queue was empty or a wait ended, in nanoseconds since `created`.
    last_turn: AtomicU64,
}

/// A transaction that waits in a queue, until this is dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    queue: &'a Queue,
    since: Instant,
}

impl QueueDelay {
    /// Begins to wait for a connection.
    pub(super) fn wait_for_connection(&self) -> Waiting<'_> {
        self.0.pool.enter()
    }

    /// Begins to wait for the other writers.
    pub(super) fn wait_for_writers(&self) -> Waiting<'_> {
        self.0.writers.enter()
    }

    /// The shortest wait that ended since the last call, in the slower of both queues. If transactions wait and none got its
    /// turn, it is the time since one did. Only one caller may observe the queues like this.
    #[must_use]
    pub fn take_shortest(&self) -> Duration {
        self.0.pool.take_shortest().max(self.0.writers.take_shortest())
    }
}

impl Queue {
    fn enter(&self) -> Waiting<'_> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            self.last_turn.store(self.age(), Ordering::Relaxed);
        }
        Waiting { queue: self, since: Instant::now() }
    }

    fn take_shortest(&self) -> Duration {
        match self.shortest.swap(u64::MAX, Ordering::Relaxed) {
            u64::MAX if self.waiting.load(Ordering::Relaxed) > 0 => {
                Duration::from_nanos(self.age().saturating_sub(self.last_turn.load(Ordering::Relaxed)))
            }
            u64::MAX => Duration::ZERO,
            shortest => Duration::from_nanos(shortest),
        }
    }

    /// The time since the queue was created.
    fn age(&self) -> u64 {
        nanoseconds(self.created.elapsed())
    }
}

impl Default for Queue {
    fn default() -> Self {
        let (waiting, shortest) = (AtomicUsize::new(0), AtomicU64::new(u64::MAX));
        Self { waiting, shortest, created: Instant::now(), last_turn: AtomicU64::new(0) }
    }
}

impl Waiting<'_> {
    /// How long it has been waiting.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.shortest.fetch_min(nanoseconds(self.elapsed()), Ordering::Relaxed);
        self.queue.last_turn.store(self.queue.age(), Ordering::Relaxed);
        self.queue.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// At most one less than the maximum, which stands for none.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).map_or(u64::MAX - 1, |nanoseconds| nanoseconds.min(u64::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_wait_of_the_slower_queue_counts() {
        let delay = QueueDelay::default();
        assert_eq!(delay.take_shortest(), Duration::ZERO, "no transaction waits");
        drop(delay.wait_for_connection());
        let fast = delay.take_shortest();
        assert!(fast < Duration::from_secs(1), "{fast:?}");

        let for_seconds = |mut waiting: Waiting<'_>| {
            waiting.since = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
        };
        drop(delay.wait_for_connection());
        for_seconds(delay.wait_for_connection());
        assert!(delay.take_shortest() < Duration::from_secs(1), "one got its turn at once");
        drop(delay.wait_for_connection());
        for_seconds(delay.wait_for_writers());
        assert!(delay.take_shortest() >= Duration::from_secs(5), "writers wait");
        assert_eq!(delay.take_shortest(), Duration::ZERO, "a wait counts once");

        let stuck = delay.wait_for_writers();
        let (first, second) = (delay.take_shortest(), delay.take_shortest());
        assert!(
            first <= second && second > Duration::ZERO,
            "no transaction gets a turn: {first:?}, {second:?}"
        );
        drop(stuck);
        assert!(delay.take_shortest() >= second, "it waited for so long");
        assert_eq!(delay.take_shortest(), Duration::ZERO);
    }
}
