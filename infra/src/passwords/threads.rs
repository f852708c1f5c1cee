//! The threads that hash passwords.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// The nice value of the threads. A hash takes all of a core for tens of milliseconds, and would otherwise hold up requests that
/// need it for less than one.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Threads that hash passwords while no request needs the core.
#[derive(Debug)]
pub(super) struct HashingThreads {
    handle: Handle,
    /// Taken when it is shut down.
    runtime: Option<Runtime>,
}

impl HashingThreads {
    /// At most `count` threads.
    ///
    /// # Errors
    /// The operating system provides no timer or event queue.
    pub(super) fn new(count: usize) -> io::Result<Self> {
        // Only its threads for blocking work are used, which end when they have had nothing to do for a while.
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(count.max(1))
            .thread_name("password-hash")
            .on_thread_start(lower_priority)
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs work on one of the threads.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.handle.spawn_blocking(work)
    }
}

impl Drop for HashingThreads {
    fn drop(&mut self) {
        // Without waiting for a hash: the last clone may be dropped by an asynchronous task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// On Linux a thread has a priority of its own, and lowering it needs no privilege. Elsewhere it is that of the process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        // If it is not permitted, hashes compete with requests.
        let _ = rustix::process::nice(NICENESS);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_give_way_to_requests() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let threads = HashingThreads::new(2).unwrap();
        let before = niceness();
        assert_eq!(threads.run(niceness).await.unwrap(), (before + NICENESS).min(19));
        assert_eq!(niceness(), before, "of this thread");
        // Also from an asynchronous task, and with work that has not begun.
        drop(threads);
    }
}
