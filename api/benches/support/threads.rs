//! Threads of a measurement. Those who send much are apart from those whose latency is measured.

#[path = "runtime.rs"]
mod runtime;

use std::panic::resume_unwind;
use std::thread;

pub(crate) use self::runtime::block_on;

/// Runs `measured` while `load` runs on a thread of the lowest priority: those who send the load have machines of their own, and would
/// otherwise take the cores that they share with the service. Returns the results of both.
pub(crate) fn beside<M: Send, L: Send>(
    measured: impl AsyncFnOnce() -> M + Send,
    load: impl AsyncFnOnce() -> L + Send,
) -> (M, L) {
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            rustix::process::nice(19).unwrap();
            block_on(load())
        });
        let measured = scope.spawn(|| block_on(measured()));
        (joined(measured), joined(load))
    })
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
