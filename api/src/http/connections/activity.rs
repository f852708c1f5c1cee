//! What a connection is doing, and until when.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::catch_up::CATCH_UP;
use super::close_reason::CloseReason;
use super::open::OpenConnections;

/// How long a client may go on without reading once the server waits to close the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may go on without reading a response, before its rate counts.
const READ_GRACE: Duration = Duration::from_secs(10);

/// The lowest rate at which a client may read a response after that, in bytes per second.
const MIN_READ_RATE: u32 = 1024;

/// How long a connection may be idle while its server closes. A client that sends one request after the other gets one more
/// response, which closes the connection; if the server closed first, it could lose the request that is on its way.
const LAST_REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection that makes room waits for a request that may have arrived unread. Of many connections that are
/// accepted at once, the last would otherwise close the first before its request was read.
const LAST_LOOK: Duration = Duration::from_millis(20);

/// How long a client may ignore `Retry-After`, and how long the rejection of its next request waits then. Clients that send the next
/// request as soon as the last one was rejected would have the service do nothing but reject.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const REJECTION_PAUSE: Duration = Duration::from_millis(200);

/// Deadlines of the connections of a server.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionTimeouts {
    /// How long a client may take to send the head of a request.
    pub head: Duration,
    /// How long a connection stays open between requests.
    pub keep_alive: Duration,
}

/// What a connection is doing, as its stream and its requests report it. Connection data of each request; clones share it.
#[derive(Clone, Debug)]
pub struct Activity(Rc<State>);

#[derive(Debug)]
struct State {
    phase: Cell<Phase>,
    /// When the phase began, or the client last read something of a response.
    since: Cell<Instant>,
    /// Until when the client must have read more of a response that does not fit into the socket's buffers.
    read_deadline: Cell<Option<Instant>>,
    /// Until when the server reads what arrived before a deadline that has passed.
    caught_up: Cell<Option<Instant>>,
    /// Whether a request was received as a whole.
    is_used: Cell<bool>,
    /// The place among the connections that make room for others; `None` while a request is being processed.
    turn: Cell<Option<u64>>,
    /// When it closes to make room for another connection, unless a request has arrived.
    makes_room_at: Cell<Option<Instant>>,
    closed: Cell<Option<CloseReason>>,
    last_rejection: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
    timeouts: ConnectionTimeouts,
    connections: OpenConnections,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was received so far.
    New,
    /// The head of a request is being received.
    Head,
    /// The body of a request is being received. It has a deadline of its own.
    Body,
    /// A request is being processed.
    Processing,
    /// The last request was answered.
    KeptAlive,
    /// The last request was answered, and the connection is about to close.
    Closing,
}

impl Activity {
    pub(super) fn new(timeouts: ConnectionTimeouts, connections: OpenConnections) -> Self {
        let activity = Self(Rc::new(State {
            phase: Cell::new(Phase::New),
            since: Cell::new(Instant::now()),
            read_deadline: Cell::new(None),
            caught_up: Cell::new(None),
            is_used: Cell::new(false),
            turn: Cell::new(None),
            makes_room_at: Cell::new(None),
            closed: Cell::new(None),
            last_rejection: Cell::new(None),
            waker: RefCell::new(None),
            timeouts,
            connections,
        }));
        activity.enter(Phase::New);
        activity
    }

    /// The stream received bytes.
    pub(super) fn received(&self) {
        if matches!(self.0.phase.get(), Phase::New | Phase::KeptAlive) {
            self.enter(Phase::Head);
        }
    }

    /// The stream's buffers took `bytes` of a response. The client is reading.
    pub(super) fn sent(&self, bytes: usize) {
        if matches!(self.0.phase.get(), Phase::KeptAlive | Phase::Closing) {
            self.0.since.set(Instant::now());
        }
        if let Some(deadline) = self.0.read_deadline.get() {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.0.read_deadline.set(Some(deadline + Duration::from_secs(1) * bytes / MIN_READ_RATE));
        }
    }

    /// The stream's buffers are full.
    pub(super) fn blocked(&self) {
        if self.0.read_deadline.get().is_none() {
            self.0.read_deadline.set(Some(Instant::now() + READ_GRACE));
        }
    }

    /// The stream's buffers took all that there was to send.
    pub(super) fn flushed(&self) {
        self.0.read_deadline.set(None);
    }

    /// The head of a request was received.
    pub fn begin_request(&self) {
        self.enter(Phase::Body);
    }

    /// A request was received as a whole. From now on its connection makes no room for others.
    pub fn begin_processing(&self) {
        self.enter(Phase::Processing);
        self.0.is_used.set(true);
    }

    /// Whether a request was received as a whole.
    pub(super) fn is_used(&self) -> bool {
        self.0.is_used.get()
    }

    /// A request was answered, with a response that closes the connection or not.
    pub fn answered(&self, closes: bool) {
        self.enter(if closes { Phase::Closing } else { Phase::KeptAlive });
    }

    /// A request is rejected because of overload. Returns how long its response has to wait.
    #[must_use]
    pub fn reject(&self) -> Duration {
        let now = Instant::now();
        let last = self.0.last_rejection.replace(Some(now));
        let is_repeated = last.is_some_and(|last| now < last + RETRY_AFTER);
        if is_repeated { REJECTION_PAUSE } else { Duration::ZERO }
    }

    /// Why the server closes the connection; `None` as long as it does not.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.0.closed.get()
    }

    /// Closes the connection because another one needs its place, unless a whole request is about to be read.
    pub(super) fn make_room(&self) {
        self.0.turn.set(None);
        self.0.makes_room_at.set(Some(Instant::now() + LAST_LOOK));
        self.wake();
    }

    /// Has the deadlines looked at again.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }

    /// Leaves the connections that are open.
    pub(super) fn leave(&self) {
        self.lose_turn();
        self.stay();
    }

    fn lose_turn(&self) {
        if let Some(turn) = self.0.turn.take() {
            self.0.connections.lose_turn(self, turn);
        }
    }

    /// Makes no room any more.
    fn stay(&self) {
        if self.0.makes_room_at.take().is_some() {
            self.0.connections.stay();
        }
    }

    /// Resolves when the server has to close the connection.
    pub(super) fn poll_close(
        &self,
        cx: &mut Context<'_>,
        timer: &mut Option<Pin<Box<Sleep>>>,
    ) -> Poll<CloseReason> {
        loop {
            if let Some(reason) = self.close_reason() {
                return Poll::Ready(reason);
            }
            let mut waker = self.0.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            drop(waker);
            let Some((deadline, reason)) = self.deadline() else { return Poll::Pending };
            let caught_up = self.0.caught_up.get().filter(|_| reason.is_deadline_of_client());
            let deadline = deadline.max(caught_up.unwrap_or(deadline));
            let now = Instant::now();
            if deadline <= now {
                match caught_up {
                    None if reason.is_deadline_of_client() => self.0.caught_up.set(Some(now + CATCH_UP)),
                    _ => self.0.closed.set(Some(reason)),
                }
                continue;
            }
            // A timer that fires too early is set again: most deadlines are put off long before they are due.
            let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.deadline() > deadline || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }

    fn deadline(&self) -> Option<(Instant, CloseReason)> {
        if let Some(deadline) = self.0.makes_room_at.get() {
            return Some((deadline, CloseReason::MadeRoom));
        }
        let (since, timeouts) = (self.0.since.get(), self.0.timeouts);
        let of_reader = self.0.read_deadline.get().map(|deadline| (deadline, CloseReason::SlowReader));
        let of_phase = match self.0.phase.get() {
            // The next head waits until the client has read the response.
            Phase::Head if of_reader.is_some() => None,
            Phase::New | Phase::KeptAlive if self.0.connections.is_closing() => {
                let timeout = LAST_REQUEST_TIMEOUT.min(timeouts.keep_alive);
                Some((since + timeout, CloseReason::Shutdown))
            }
            Phase::New | Phase::Head => Some((since + timeouts.head, CloseReason::HeadTimeout)),
            Phase::KeptAlive => Some((since + timeouts.keep_alive, CloseReason::IdleTimeout)),
            Phase::Closing => Some((since + CLOSE_TIMEOUT, CloseReason::IdleTimeout)),
            Phase::Body | Phase::Processing => None,
        };
        of_phase.into_iter().chain(of_reader).min_by_key(|(deadline, _)| *deadline)
    }

    fn enter(&self, phase: Phase) {
        self.0.phase.set(phase);
        self.0.caught_up.set(None);
        self.0.since.set(Instant::now());
        self.lose_turn();
        if phase == Phase::Processing {
            self.stay();
        } else if self.0.makes_room_at.get().is_none() && self.close_reason().is_none() {
            self.0.turn.set(Some(self.0.connections.take_turn(self)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, timeout};

    use super::super::server::ServerConnections;
    use super::*;

    const TIMEOUTS: ConnectionTimeouts =
        ConnectionTimeouts { head: Duration::from_secs(5), keep_alive: Duration::from_secs(75) };

    fn activity() -> Activity {
        Activity::new(TIMEOUTS, OpenConnections::new(10, None, ServerConnections::default()))
    }

    /// The reason and the time in seconds after which the connection closes; `None` if it does not within an hour.
    async fn closes(activity: &Activity) -> Option<(CloseReason, u64)> {
        let (begun, mut timer) = (Instant::now(), None);
        let reason = poll_fn(|cx| activity.poll_close(cx, &mut timer));
        let reason = timeout(Duration::from_secs(3600), reason).await.ok()?;
        Some((reason, begun.elapsed().as_secs()))
    }

    #[tokio::test(start_paused = true)]
    async fn every_head_has_a_deadline() {
        assert_eq!(closes(&activity()).await, Some((CloseReason::HeadTimeout, 5)), "nothing is sent");
        let connection = activity();
        for _ in 0..3 {
            advance(Duration::from_secs(4)).await;
            connection.received();
            connection.begin_request();
            connection.begin_processing();
            connection.answered(false);
        }
        connection.received();
        advance(Duration::from_secs(3)).await;
        connection.received();
        assert_eq!(
            closes(&connection).await,
            Some((CloseReason::HeadTimeout, 2)),
            "more bytes put nothing off"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_closes() {
        let connection = activity();
        connection.begin_request();
        connection.begin_processing();
        assert_eq!(closes(&connection).await, None, "requests have deadlines of their own");
        connection.answered(false);
        assert_eq!(closes(&connection).await, Some((CloseReason::IdleTimeout, 75)));
        let connection = activity();
        connection.answered(true);
        connection.received();
        assert_eq!(closes(&connection).await, Some((CloseReason::IdleTimeout, 5)), "the rest of a body");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_ignores_retry_after_waits_for_its_rejection() {
        let connection = activity();
        assert_eq!(connection.reject(), Duration::ZERO);
        advance(Duration::from_secs(1)).await;
        assert_eq!(connection.reject(), Duration::ZERO);
        advance(Duration::from_millis(900)).await;
        assert_eq!(connection.reject(), REJECTION_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_must_read_its_responses() {
        let connection = activity();
        connection.answered(false);
        connection.blocked();
        assert_eq!(closes(&connection).await, Some((CloseReason::SlowReader, 10)));
        let connection = activity();
        connection.answered(false);
        connection.blocked();
        for _ in 0..200 {
            advance(Duration::from_secs(1)).await;
            connection.sent(1024);
            connection.blocked();
        }
        assert_eq!(connection.close_reason(), None, "it reads, though slowly");
        assert_eq!(closes(&connection).await, Some((CloseReason::SlowReader, 10)));
        let connection = activity();
        connection.answered(false);
        connection.blocked();
        connection.flushed();
        assert_eq!(closes(&connection).await, Some((CloseReason::IdleTimeout, 75)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_closes_waits_for_requests_alone() {
        let server = ServerConnections::default();
        let connections = OpenConnections::new(10, None, server.clone());
        let [new, idle, head, processing] = [(); 4].map(|()| Activity::new(TIMEOUTS, connections.clone()));
        idle.answered(false);
        advance(Duration::from_secs(3)).await;
        head.received();
        processing.begin_request();
        processing.begin_processing();
        let (mut timer, closes_later) = (None, closes(&processing));
        assert!(
            timeout(Duration::from_secs(1), poll_fn(|cx| idle.poll_close(cx, &mut timer))).await.is_err()
        );

        let _ = tokio::join!(server.close(), connections.close_with_server());
        assert_eq!(closes(&new).await, Some((CloseReason::Shutdown, 0)));
        assert_eq!(closes(&idle).await, Some((CloseReason::Shutdown, 0)));
        assert_eq!(closes(&head).await, Some((CloseReason::HeadTimeout, 4)), "a request is on its way");
        assert_eq!(closes_later.await, None);
        processing.answered(false);
        assert_eq!(
            closes(&processing).await,
            Some((CloseReason::Shutdown, 1)),
            "it may send another request"
        );
    }
}
