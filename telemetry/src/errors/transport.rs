//! The way to Sentry: a short queue and one request at a time. What does not fit or is not accepted is lost
//! and counted, and nobody waits for it.

use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use backtrace::Backtrace;
use reqwest::header::{RETRY_AFTER, USER_AGENT};
use reqwest::{RequestBuilder, Response, StatusCode};
use sentry::integrations::backtrace::backtrace_to_stacktrace;
use sentry::protocol::{Event, Transaction};
use sentry::types::Dsn;
use sentry::{Client, Envelope};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many reports may wait to be sent. One may have some hundred kilobytes.
const CAPACITY: usize = 100;
/// How long Sentry may take to accept one.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long Sentry is left alone when it asks for that and does not say how long.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest time that it may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// Reports of this process that were lost.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many reports were lost so far.
pub(crate) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

fn lose() {
    LOST.fetch_add(1, Ordering::Relaxed);
}

/// A report, before what takes time is done to it.
pub(super) enum Unsent {
    /// An error, and the stack on which it happened.
    Error(Box<Event<'static>>, Option<Backtrace>),
    /// How long a unit of work took.
    Timings(Box<Transaction<'static>>),
}

impl Unsent {
    /// Adds the names of functions, and what is known of process and machine. The first time this can take
    /// seconds.
    pub(super) fn complete(self, client: &Client) -> Option<Envelope> {
        match self {
            Self::Error(mut report, stack) => {
                if let (Some(mut stack), Some(exception)) = (stack, report.exception.values.last_mut()) {
                    stack.resolve();
                    exception.stacktrace = backtrace_to_stacktrace(&stack);
                }
                client.prepare_event(*report, None).map(Envelope::from)
            }
            Self::Timings(transaction) => Some(Envelope::from(*transaction)),
        }
    }
}

/// Where reports wait. Closed, it takes no more.
pub(crate) struct Outbox(Mutex<Option<Queue>>);

/// The near end of the queue.
struct Queue {
    reports: Sender<Unsent>,
    /// Ends when everything is sent.
    done: mpsc::Receiver<()>,
}

/// The far end.
pub(super) struct Waiting {
    reports: Receiver<Unsent>,
    /// Goes away with it, and so tells that everything is sent.
    _doing: mpsc::Sender<()>,
}

impl Outbox {
    /// An outbox, and where its reports come out.
    pub(super) fn new() -> (Self, Waiting) {
        let (reports, waiting) = channel(CAPACITY);
        let (doing, done) = mpsc::channel();
        let outbox = Self(Mutex::new(Some(Queue { reports, done })));
        (outbox, Waiting { reports: waiting, _doing: doing })
    }

    /// Takes a report, or counts it as lost.
    pub(super) fn put(&self, report: Unsent) {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.as_ref().is_none_or(|queue| queue.reports.try_send(report).is_err()) {
            lose();
        }
    }

    /// Takes no more, and sends the rest until `deadline`.
    pub(crate) fn close(&self, deadline: Instant) -> Flush {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Flush { done: queue.map(|queue| queue.done), deadline }
    }
}

impl Waiting {
    /// The next report, if one waits.
    #[cfg(test)]
    pub(super) fn try_next(&mut self) -> Option<Unsent> {
        self.reports.try_recv().ok()
    }
}

impl Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

/// The last reports on their way.
pub(crate) struct Flush {
    done: Option<mpsc::Receiver<()>>,
    deadline: Instant,
}

impl Flush {
    /// Waits until they are sent, or it is too late.
    pub(crate) fn wait(self) {
        if let Some(done) = self.done {
            // Nothing is ever received: the other end goes away when it has finished.
            let _ = done.recv_timeout(self.deadline.saturating_duration_since(Instant::now()));
        }
    }
}

/// Sends what waits from a task of the current runtime.
///
/// # Errors
/// When the HTTP client cannot be made.
pub(super) fn start(dsn: &Dsn, client: Client, waiting: Waiting, agent: &str) -> Result<(), reqwest::Error> {
    let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
    let request = http.post(dsn.envelope_api_url()).header(USER_AGENT, agent);
    let request = request.header("X-Sentry-Auth", dsn.to_auth(Some(agent)).to_string());
    tokio::spawn(send_all(request, Arc::new(client), waiting));
    Ok(())
}

/// Sends one after the other until the outbox is closed.
async fn send_all(request: RequestBuilder, client: Arc<Client>, mut waiting: Waiting) {
    let mut paused_until = Instant::now();
    while let Some(report) = waiting.reports.recv().await {
        if Instant::now() < paused_until {
            lose();
            continue;
        }
        match send(&request, client.clone(), report).await {
            Some(response) if response.status().is_success() => {}
            Some(response) if response.status() == StatusCode::TOO_MANY_REQUESTS => {
                paused_until = Instant::now() + pause(&response);
                lose();
            }
            _ => lose(),
        }
    }
}

async fn send(request: &RequestBuilder, client: Arc<Client>, report: Unsent) -> Option<Response> {
    let body = tokio::task::spawn_blocking(move || {
        let mut body = Vec::new();
        report.complete(&client)?.to_writer(&mut body).ok()?;
        Some(body)
    });
    let request = request.try_clone()?.body(body.await.ok()??);
    request.send().await.ok()
}

/// How long Sentry wants to be left alone.
fn pause(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(PAUSE, |seconds: u64| Duration::from_secs(seconds).min(MAX_PAUSE))
}
