//! Writes log records on a thread of its own, so that no request waits for standard output.
//!
//! The thread writes what came within some milliseconds at once. Waking it, and a system call, for each record would cost more
//! than the record itself.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a record may wait for others.
const LINGER: Duration = Duration::from_millis(5);

/// The maximum length of the text that waits, in bytes: some ten thousand records. What does not fit is dropped.
const CAPACITY: usize = 8 * 1024 * 1024;

/// The length of the buffer that the thread keeps between its turns, in bytes.
const KEPT: usize = 64 * 1024;

/// How long the end of the process waits for what is still to be written: a pipe may be full.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// The way to standard output.
#[derive(Clone)]
pub(crate) struct Output(Arc<Shared>);

/// Writes what waits, and ends the thread, when it is dropped.
#[derive(Debug)]
pub(crate) struct OutputGuard {
    shared: Arc<Shared>,
    ended: Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    is_closed: bool,
}

impl Output {
    /// Starts the thread, which writes to `out`.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Self, OutputGuard)> {
        let shared = Arc::new(Shared::default());
        let (end, ended) = channel();
        let of_thread = shared.clone();
        thread::Builder::new().name("log-output".to_owned()).spawn(move || {
            of_thread.write_all(out);
            // It cannot be sent once the guard has given up.
            let _ = end.send(());
        })?;
        Ok((Self(shared.clone()), OutputGuard { shared, ended }))
    }

    /// Queues one record, or counts it as dropped if the queue is full.
    pub(super) fn write(&self, record: &[u8]) {
        let mut waiting = self.0.lock();
        if waiting.is_closed || waiting.text.len() + record.len() > CAPACITY {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = waiting.text.is_empty();
        waiting.text.extend_from_slice(record);
        drop(waiting);
        if was_empty {
            self.0.changed.notify_one();
        }
    }

    /// The number of records that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Writes what waits until the output is closed.
    fn write_all(&self, mut out: impl Write) {
        let mut turn = Vec::new();
        while self.take(&mut turn) {
            // A reader that is gone is no error of the service, and there is no other place to report one.
            let _ = out.write_all(&turn).and_then(|()| out.flush());
            turn.clear();
            turn.shrink_to(KEPT);
        }
    }

    /// Takes what waits, once others have joined it. False when nothing will come.
    fn take(&self, turn: &mut Vec<u8>) -> bool {
        let is_idle = |waiting: &mut Waiting| waiting.text.is_empty() && !waiting.is_closed;
        let waiting = self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let is_open = |waiting: &mut Waiting| !waiting.is_closed;
        let lingered = self.changed.wait_timeout_while(waiting, LINGER, is_open);
        let (mut waiting, _) = lingered.unwrap_or_else(PoisonError::into_inner);
        mem::swap(turn, &mut waiting.text);
        !turn.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OutputGuard {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_one();
        // What is not written by then is lost, as it would be with the process.
        let _ = self.ended.recv_timeout(LAST_WRITE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, SyncSender, sync_channel};

    use super::*;

    /// Sends the test each text that is written, and blocks until the test answers.
    struct Slow(Sender<Vec<u8>>, Receiver<()>);

    impl Write for Slow {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(text.to_vec());
            let _ = self.1.recv();
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Output, OutputGuard, Receiver<Vec<u8>>, SyncSender<()>) {
        let ((written, texts), (go, wait)) = (channel(), sync_channel(100));
        let (output, guard) = Output::start(Slow(written, wait)).unwrap();
        (output, guard, texts, go)
    }

    #[test]
    fn records_that_come_while_one_is_written_share_a_write() {
        let (output, guard, texts, go) = slow();
        output.write(b"first\n");
        assert_eq!(texts.recv().unwrap(), b"first\n");
        output.write(b"second\n");
        output.write(b"third\n");
        go.send(()).unwrap();
        assert_eq!(texts.recv().unwrap(), b"second\nthird\n");
        go.send(()).unwrap();
        drop(guard);
        assert_eq!(output.dropped(), 0);
    }

    #[test]
    fn the_end_writes_what_waits() {
        let (output, guard, texts, go) = slow();
        go.send(()).unwrap();
        output.write(b"last\n");
        drop(guard);
        assert_eq!(texts.try_recv().unwrap(), b"last\n");
        output.write(b"too late\n");
        assert_eq!(output.dropped(), 1);
    }

    #[test]
    fn a_full_queue_drops_and_counts_records_and_recovers() {
        let (output, _guard, texts, go) = slow();
        output.write(b"first\n");
        texts.recv().unwrap();
        let record = vec![b'x'; 1024 * 1024];
        for _ in 0..CAPACITY / record.len() + 2 {
            output.write(&record);
        }
        assert_eq!(output.dropped(), 2);
        go.send(()).unwrap();
        assert_eq!(texts.recv().unwrap().len(), CAPACITY);
        output.write(b"next\n");
        go.send(()).unwrap();
        assert_eq!(texts.recv().unwrap(), b"next\n");
        go.send(()).unwrap();
        assert_eq!(output.dropped(), 2);
    }

    #[test]
    fn a_reader_that_is_gone_does_not_end_the_thread() {
        struct Broken(Sender<()>);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                let _ = self.0.send(());
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (tried, tries) = channel();
        let (output, _guard) = Output::start(Broken(tried)).unwrap();
        for _ in 0..2 {
            output.write(b"record\n");
            tries.recv().unwrap();
        }
    }
}
