//! The requests of a connection that have no response yet.

use std::cell::Cell;
use std::rc::Rc;

/// The number of requests of a connection that have no response yet. It is connection data of each request.
#[derive(Clone, Debug, Default)]
pub struct Unanswered(Rc<Cell<usize>>);

impl Unanswered {
    /// Whether there are any.
    pub(super) fn is_any(&self) -> bool {
        self.0.get() > 0
    }

    /// Counts a request. It stays counted if it is dropped without a response.
    pub(super) fn begin(&self) -> Self {
        self.0.set(self.0.get() + 1);
        self.clone()
    }

    /// Counts a response.
    pub(super) fn end(self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
