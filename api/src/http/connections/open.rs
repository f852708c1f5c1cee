//! The open connections of a server thread, and which of them make room for new ones.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use glasshouse_telemetry::service::metrics::ConnectionMetrics;
use tokio::net::TcpStream;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::activity::{Activity, ConnectionTimeouts};
use super::close_reason::CloseReason;
use super::server::ServerConnections;
use super::stream::WatchedStream;

/// The open connections of a server thread. When there are too many, one closes that waits for its client: for a request, for
/// the rest of one, or for the client to read a response. Connections whose requests are being processed stay. So clients
/// that hold connections cannot keep others out.
///
/// Of those that wait, some have served a request and some have not. The larger group gives up the one that has waited for
/// the longest time: connections without a request cannot push out those that are in use, nor the other way around.
#[derive(Clone, Debug)]
pub struct OpenConnections(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    capacity: usize,
    metrics: Option<ConnectionMetrics>,
    of_server: ServerConnections,
    is_closing: Cell<bool>,
    count: Cell<usize>,
    /// Those of them that are about to make room.
    leaving: Cell<usize>,
    waiting: RefCell<Waiting>,
    next_turn: Cell<u64>,
}

/// The connections that wait for their clients, by turn.
#[derive(Debug, Default)]
struct Waiting {
    /// Those that have not served a request.
    unused: BTreeMap<u64, Activity>,
    /// Those that have.
    used: BTreeMap<u64, Activity>,
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
        Self(Rc::new(Inner {
            capacity,
            metrics,
            of_server,
            is_closing: Cell::new(false),
            count: Cell::new(0),
            leaving: Cell::new(0),
            waiting: RefCell::default(),
            next_turn: Cell::new(0),
        }))
    }

    /// Waits until the connections of the server have to close, and lets those of this thread close when they are idle.
    pub async fn close_with_server(self) {
        self.0.of_server.closing().await;
        self.0.is_closing.set(true);
        let waiting = self.0.waiting.borrow();
        waiting.unused.values().chain(waiting.used.values()).for_each(Activity::wake);
    }

    /// Whether the connections have to close.
    pub(super) fn is_closing(&self) -> bool {
        self.0.is_closing.get()
    }

    /// Adds a connection. If there are too many, another one makes room.
    #[must_use]
    pub fn open(&self, timeouts: ConnectionTimeouts) -> OpenConnection {
        self.0.count.set(self.0.count.get() + 1);
        self.make_room();
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
        self.0.waiting.borrow_mut().group_of(activity).insert(turn, activity.clone());
        turn
    }

    /// A connection that was about to make room is not any more: if it stays, another one has to.
    pub(super) fn stay(&self) {
        self.0.leaving.set(self.0.leaving.get().saturating_sub(1));
        self.make_room();
    }

    /// If there are too many connections, lets one close.
    fn make_room(&self) {
        if self.0.count.get() - self.0.leaving.get() <= self.0.capacity {
            return;
        }
        let oldest = self.0.waiting.borrow_mut().pop_oldest();
        if let Some(oldest) = oldest {
            self.0.leaving.set(self.0.leaving.get() + 1);
            oldest.make_room();
        }
    }

    /// Takes the place away.
    pub(super) fn lose_turn(&self, activity: &Activity, turn: u64) {
        self.0.waiting.borrow_mut().group_of(activity).remove(&turn);
    }

    fn remove(&self, reason: Option<CloseReason>) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        if let Some(metrics) = &self.0.metrics {
            metrics.closed(reason.map(CloseReason::as_str));
        }
    }
}

impl Waiting {
    fn group_of(&mut self, activity: &Activity) -> &mut BTreeMap<u64, Activity> {
        if activity.is_used() { &mut self.used } else { &mut self.unused }
    }

    fn pop_oldest(&mut self) -> Option<Activity> {
        // Of two groups of the same size, the one whose oldest has waited longer.
        let rank = |group: &BTreeMap<u64, Activity>| (group.len(), Reverse(group.keys().next().copied()));
        let group = if rank(&self.used) > rank(&self.unused) { &mut self.used } else { &mut self.unused };
        group.pop_first().map(|(_, activity)| activity)
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
        self.connections.remove(self.activity.close_reason());
        self.activity.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TIMEOUTS: ConnectionTimeouts =
        ConnectionTimeouts { head: Duration::from_secs(5), keep_alive: Duration::from_secs(75) };

    fn waiting(connections: &OpenConnections) -> usize {
        let waiting = connections.0.waiting.borrow();
        waiting.used.len() + waiting.unused.len()
    }

    /// A connection that has served a request.
    fn used(connections: &OpenConnections) -> OpenConnection {
        let connection = connections.open(TIMEOUTS);
        connection.activity.begin_request();
        connection.activity.begin_processing();
        connection.activity.answered(false);
        connection
    }

    /// Whether the connection closes at once to make room.
    async fn makes_room(connection: &OpenConnection) -> bool {
        let mut timer = None;
        let closes = poll_fn(|cx| connection.activity.poll_close(cx, &mut timer));
        tokio::time::timeout(Duration::from_millis(100), closes).await == Ok(CloseReason::MadeRoom)
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_waits_for_its_client_for_the_longest_time_makes_room() {
        let (timeouts, connections) = (TIMEOUTS, OpenConnections::new(3, None, ServerConnections::default()));
        let [processing, idle, slow] = [(); 3].map(|()| connections.open(timeouts));
        processing.activity.begin_request();
        processing.activity.begin_processing();
        slow.activity.received();
        idle.activity.received();
        idle.activity.begin_request();
        idle.activity.begin_processing();
        idle.activity.answered(false);

        let first = connections.open(timeouts);
        assert!(makes_room(&slow).await);
        assert!(!makes_room(&idle).await);
        drop(slow);
        first.activity.begin_request();
        let second = connections.open(timeouts);
        assert!(makes_room(&idle).await);
        drop(idle);
        let third = connections.open(timeouts);
        assert!(makes_room(&first).await, "its body is incomplete");
        assert!(!makes_room(&processing).await, "a request that is being processed stays");

        drop(first);
        assert_eq!(connections.0.count.get(), 3);
        drop((processing, second, third));
        assert_eq!((connections.0.count.get(), waiting(&connections)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn connections_without_a_request_do_not_push_out_those_in_use_nor_the_other_way_around() {
        let connections = OpenConnections::new(8, None, ServerConnections::default());
        let in_use = [used(&connections), used(&connections)];
        let held: Vec<_> = (0..100).map(|_| connections.open(TIMEOUTS)).collect();
        assert!(makes_room(&held[0]).await && makes_room(&held[93]).await && !makes_room(&held[94]).await);
        for connection in &in_use {
            assert!(!makes_room(connection).await);
        }
        drop((in_use, held));

        let new = [connections.open(TIMEOUTS), connections.open(TIMEOUTS)];
        let held: Vec<_> = (0..100).map(|_| used(&connections)).collect();
        assert!(makes_room(&held[0]).await && makes_room(&held[93]).await && !makes_room(&held[94]).await);
        for connection in &new {
            assert!(!makes_room(connection).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_request_had_arrived_makes_no_room() {
        let connections = OpenConnections::new(2, None, ServerConnections::default());
        let [slow, complete] = [(); 2].map(|()| connections.open(TIMEOUTS));
        let [third, fourth] = [(); 2].map(|()| connections.open(TIMEOUTS));
        // Both were to make room before the server read from them.
        slow.activity.received();
        complete.activity.received();
        complete.activity.begin_request();
        complete.activity.begin_processing();
        assert!(makes_room(&slow).await, "a part of a request is none");
        assert!(!makes_room(&complete).await);
        complete.activity.answered(false);
        drop(slow);
        let fifth = connections.open(TIMEOUTS);
        assert!(makes_room(&third).await, "the one that waits for the longest time now");
        assert!(!makes_room(&complete).await);
        drop((complete, third, fourth, fifth));
        assert_eq!((connections.0.count.get(), waiting(&connections)), (0, 0));
    }
}
