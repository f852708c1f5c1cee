//! Draining: a process that shuts down makes its clients connect elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when the shutdown starts. From then on the process is not ready, and every response closes its connection.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// Whether the process is stopping.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Starts draining.
    pub fn start(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
