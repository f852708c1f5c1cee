//! The open connections of a server thread, and which of them make room for new ones.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use glasshouse_telemetry::service::metrics::ConnectionMetrics;
use tokio::net::TcpStream;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::activity::{Activity, CloseReason, ConnectionTimeouts};
use super::server::ServerConnections;
use super::stream::WatchedStream;

/// The open connections of a server thread. When there are too many, the one closes that has waited for its client for
/// the longest time: for a request, for the rest of one, or for the client to read a response. Connections whose requests
/// are being processed stay. So clients that hold connections cannot keep others out.
#[derive(Clone, Debug)]
pub struct OpenConnections(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    capacity: usize,
    metrics: Option<ConnectionMetrics>,
    of_server: ServerConnections,
    is_closing: Cell<bool>,
    count: Cell<usize>,
    /// The connections that wait for their clients, by turn.
    waiting: RefCell<BTreeMap<u64, Activity>>,
    next_turn: Cell<u64>,
}

/// An open connection. Dropping it gives its place to others.
#[derive(Debug)]
pub struct OpenConnection {
    activity: Activity,
    connections: OpenConnections,
    _counted: TaskTrackerToken,
}

impl OpenConnections {
    /// Up to `capacity` connections, which are among those of a server.
    #[must_use]
    pub fn new(capacity: usize, metrics: Option<ConnectionMetrics>, of_server: ServerConnections) -> Self {
        let (is_closing, count) = (Cell::new(false), Cell::new(0));
        let (waiting, next_turn) = (RefCell::default(), Cell::new(0));
        Self(Rc::new(Inner { capacity, metrics, of_server, is_closing, count, waiting, next_turn }))
    }

    /// Waits until the connections of the server have to close, and lets those of this thread close when they are idle.
    pub async fn close_with_server(self) {
        self.0.of_server.closing().await;
        self.0.is_closing.set(true);
        for activity in self.0.waiting.borrow().values() {
            activity.wake();
        }
    }

    /// Whether the connections have to close.
    pub(super) fn is_closing(&self) -> bool {
        self.0.is_closing.get()
    }

    /// Adds a connection. If there are too many, another one makes room.
    #[must_use]
    pub fn open(&self, timeouts: ConnectionTimeouts) -> OpenConnection {
        if self.0.count.get() >= self.0.capacity
            && let Some((_, oldest)) = self.pop_oldest()
        {
            oldest.make_room();
            self.remove(CloseReason::MadeRoom);
        }
        self.0.count.set(self.0.count.get() + 1);
        if let Some(metrics) = &self.0.metrics {
            metrics.opened();
        }
        OpenConnection {
            activity: Activity::new(timeouts, self.clone()),
            connections: self.clone(),
            _counted: self.0.of_server.opened(),
        }
    }

    /// Gives a connection the last place among those that make room.
    pub(super) fn take_turn(&self, activity: &Activity) -> u64 {
        let turn = self.0.next_turn.get();
        self.0.next_turn.set(turn + 1);
        self.0.waiting.borrow_mut().insert(turn, activity.clone());
        turn
    }

    /// Takes the place away.
    pub(super) fn lose_turn(&self, turn: u64) {
        self.0.waiting.borrow_mut().remove(&turn);
    }

    fn pop_oldest(&self) -> Option<(u64, Activity)> {
        self.0.waiting.borrow_mut().pop_first()
    }

    fn remove(&self, reason: impl Into<Option<CloseReason>>) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        if let Some(metrics) = &self.0.metrics {
            metrics.closed(reason.into().map(CloseReason::as_str));
        }
    }
}

impl OpenConnection {
    /// The stream of the connection, which reports what the connection is doing.
    #[must_use]
    pub fn watch(&self, stream: TcpStream) -> WatchedStream {
        WatchedStream::new(stream, self.activity.clone())
    }

    /// Runs `serving`, which serves the stream, until it ends or the server has to close the connection. In the latter case
    /// the outcome is `None`.
    pub async fn serve<F: Future>(self, serving: F) -> Option<F::Output> {
        let (serving, mut timer) = (pin!(serving), None);
        tokio::select! {
            // First what the client sent, and then what it did not.
            biased;
            outcome = serving => Some(outcome),
            _ = poll_fn(|cx| self.activity.poll_close(cx, &mut timer)) => None,
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.activity.leave();
        let reason = self.activity.close_reason();
        // A connection that made room was removed when it did.
        if reason != Some(CloseReason::MadeRoom) {
            self.connections.remove(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_connection_that_waits_for_its_client_for_the_longest_time_makes_room() {
        let timeouts =
            ConnectionTimeouts { head: Duration::from_secs(5), keep_alive: Duration::from_secs(75) };
        let connections = OpenConnections::new(3, None, ServerConnections::default());
        let [processing, idle, slow] = [(); 3].map(|()| connections.open(timeouts));
        processing.activity.begin_request();
        processing.activity.begin_processing();
        slow.activity.received();
        idle.activity.received();
        idle.activity.begin_request();
        idle.activity.begin_processing();
        idle.activity.answered(false);

        let first = connections.open(timeouts);
        assert_eq!(slow.activity.close_reason(), Some(CloseReason::MadeRoom));
        assert_eq!(idle.activity.close_reason(), None);
        first.activity.begin_request();
        let second = connections.open(timeouts);
        assert_eq!(idle.activity.close_reason(), Some(CloseReason::MadeRoom));
        let third = connections.open(timeouts);
        assert_eq!(first.activity.close_reason(), Some(CloseReason::MadeRoom), "its body is incomplete");
        assert_eq!(processing.activity.close_reason(), None, "a request that is being processed stays");

        drop((slow, idle, first));
        assert_eq!(connections.0.count.get(), 3);
        drop((processing, second, third));
        assert_eq!((connections.0.count.get(), connections.0.waiting.borrow().len()), (0, 0));
    }
}
