//! A bounded queue in front of a thread of its own.

use std::io;
use std::mem;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The maximum size of what waits, in bytes: some ten thousand log records.
pub(super) const CAPACITY: usize = 8 * 1024 * 1024;

/// How long the end of the process waits for what is still in a queue: a pipe may be full.
const LAST_TURN: Duration = Duration::from_secs(1);

/// The way to a thread. Clones lead to the same one.
#[derive(Debug)]
pub(super) struct Queue<T>(Arc<Shared<T>>);

/// Lets the thread do what waits, and ends it, when it is dropped.
#[derive(Debug)]
pub(super) struct QueueGuard<T> {
    shared: Arc<Shared<T>>,
    ended: Receiver<()>,
}

#[derive(Debug)]
struct Shared<T> {
    waiting: Mutex<Waiting<T>>,
    /// Notified when something waits, when the queue is closed, and when the thread has done what it took.
    changed: Condvar,
}

#[derive(Debug)]
struct Waiting<T> {
    items: Vec<T>,
    /// The size of the items, in bytes.
    size: usize,
    /// Whether the thread works on what it took.
    is_busy: bool,
    is_closed: bool,
}

impl<T: Send + 'static> Queue<T> {
    /// Starts the thread. It takes all that waits at once, and `linger` later than the first of them came; `work` empties the items.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(super) fn start(
        thread: &str,
        linger: Duration,
        mut work: impl FnMut(&mut Vec<T>) + Send + 'static,
    ) -> io::Result<(Self, QueueGuard<T>)> {
        let waiting = Waiting { items: Vec::new(), size: 0, is_busy: false, is_closed: false };
        let shared = Arc::new(Shared { waiting: Mutex::new(waiting), changed: Condvar::new() });
        let (end, ended) = channel();
        let of_thread = shared.clone();
        thread::Builder::new().name(thread.to_owned()).spawn(move || {
            let mut turn = Vec::new();
            while of_thread.take(&mut turn, linger) {
                work(&mut turn);
                turn.clear();
            }
            // It cannot be sent once the guard has given up.
            let _ = end.send(());
        })?;
        Ok((Self(shared.clone()), QueueGuard { shared, ended }))
    }

    /// Adds an item of this size, in bytes. Returns `false` if it does not fit, or the queue is closed.
    #[must_use]
    pub(super) fn push(&self, item: T, size: usize) -> bool {
        let mut waiting = self.0.lock();
        if waiting.is_closed || waiting.size + size > CAPACITY {
            return false;
        }
        waiting.size += size;
        waiting.items.push(item);
        let is_first = waiting.items.len() == 1;
        drop(waiting);
        if is_first {
            self.0.changed.notify_all();
        }
        true
    }
}

impl<T> QueueGuard<T> {
    /// Waits until what waits is done, or until the thread has had its time.
    pub(super) fn flush(&self) {
        let is_at_work = |waiting: &mut Waiting<T>| waiting.is_busy || !waiting.items.is_empty();
        let waiting = self.shared.lock();
        // What is not done by then is late, as it may be at any time.
        drop(self.shared.changed.wait_timeout_while(waiting, LAST_TURN, is_at_work));
    }
}

impl<T> Shared<T> {
    /// Takes what waits, once others have joined it. False when nothing will come.
    fn take(&self, turn: &mut Vec<T>, linger: Duration) -> bool {
        let mut waiting = self.lock();
        if mem::replace(&mut waiting.is_busy, false) {
            self.changed.notify_all();
        }
        let is_idle = |waiting: &mut Waiting<T>| waiting.items.is_empty() && !waiting.is_closed;
        let mut waiting = self.changed.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner);
        if !linger.is_zero() {
            let is_open = |waiting: &mut Waiting<T>| !waiting.is_closed;
            let lingered = self.changed.wait_timeout_while(waiting, linger, is_open);
            waiting = lingered.unwrap_or_else(PoisonError::into_inner).0;
        }
        mem::swap(turn, &mut waiting.items);
        waiting.size = 0;
        waiting.is_busy = true;
        !turn.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Drop for QueueGuard<T> {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
        // What is not done by then is lost, as it would be with the process.
        let _ = self.ended.recv_timeout(LAST_TURN);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, SyncSender, sync_channel};

    use super::*;

    type Turns = (Queue<&'static str>, QueueGuard<&'static str>, Receiver<Vec<&'static str>>, SyncSender<()>);

    /// A thread that sends the test each turn, and blocks until the test answers.
    fn slow() -> Turns {
        let (turns, taken): (Sender<Vec<_>>, _) = channel();
        let (go, wait) = sync_channel(100);
        let work = move |turn: &mut Vec<_>| {
            let _ = turns.send(mem::take(turn));
            let _ = wait.recv();
        };
        let (queue, guard) = Queue::start("slow", Duration::ZERO, work).unwrap();
        (queue, guard, taken, go)
    }

    #[test]
    fn items_that_come_while_the_thread_is_busy_share_a_turn() {
        let (queue, guard, turns, go) = slow();
        assert!(queue.push("first", 1));
        assert_eq!(turns.recv().unwrap(), ["first"]);
        assert!(queue.push("second", 1));
        assert!(queue.push("third", 1));
        go.send(()).unwrap();
        assert_eq!(turns.recv().unwrap(), ["second", "third"]);
        go.send(()).unwrap();
        drop(guard);
    }

    #[test]
    fn items_that_come_within_a_moment_share_a_turn() {
        let (turns, taken) = channel();
        let work = move |turn: &mut Vec<_>| turns.send(mem::take(turn)).unwrap();
        // So long that the test ends it.
        let (queue, guard) = Queue::start("lingering", Duration::from_secs(60), work).unwrap();
        assert!(queue.push("first", 1));
        assert!(queue.push("second", 1));
        drop(guard);
        assert_eq!(taken.recv().unwrap(), ["first", "second"]);
    }

    #[test]
    fn the_end_does_what_waits() {
        let (queue, guard, turns, go) = slow();
        go.send(()).unwrap();
        assert!(queue.push("last", 1));
        drop(guard);
        assert_eq!(turns.try_recv().unwrap(), ["last"]);
        assert!(!queue.push("too late", 1));
    }

    #[test]
    fn a_flush_waits_for_what_the_thread_has_taken() {
        let (queue, guard, turns, go) = slow();
        guard.flush(); // nothing waits
        assert!(queue.push("first", 1));
        turns.recv().unwrap();
        let flushed = thread::spawn(move || {
            guard.flush();
            guard
        });
        assert!(queue.push("second", 1));
        go.send(()).unwrap();
        assert_eq!(turns.recv().unwrap(), ["second"]);
        assert!(!flushed.is_finished());
        go.send(()).unwrap();
        drop(flushed.join().unwrap());
    }

    #[test]
    fn a_full_queue_refuses_items_and_recovers() {
        let (queue, _guard, turns, go) = slow();
        assert!(queue.push("first", 1));
        turns.recv().unwrap();
        let large = CAPACITY / 8;
        let fitting = (0..10).filter(|_| queue.push("large", large)).count();
        assert_eq!(fitting, 8);
        go.send(()).unwrap();
        assert_eq!(turns.recv().unwrap().len(), 8);
        assert!(queue.push("next", large));
        go.send(()).unwrap();
        assert_eq!(turns.recv().unwrap(), ["next"]);
        go.send(()).unwrap();
    }
}
