//! The transport of Sentry's client: a bounded queue and one HTTP request at a time. What does not fit, is rate limited
//! or is not accepted is dropped and counted; no caller waits.
//!
//! Sentry's own transports count what they drop for Sentry alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::USER_AGENT;
use sentry::protocol::EnvelopeItem;
use sentry::transports::{RateLimiter, RateLimitingCategory};
use sentry::{Envelope, Transport, TransportFactory, TransportOptions};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{rate_limits, stack};

/// How many envelopes may be queued. One may have some hundred kilobytes.
const CAPACITY: usize = 100;
/// How long Sentry may take to accept one.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Envelopes that this process dropped.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many error events and transactions were dropped so far. An envelope holds one of either.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

fn count_drop() {
    DROPPED.fetch_add(1, Ordering::Relaxed);
}

/// Makes the transport, which sends from a task of the current runtime.
pub(crate) struct Factory {
    http: reqwest::Client,
    in_app: Arc<[&'static str]>,
}

impl Factory {
    /// `in_app` has the prefixes of the service's own modules, whose frames are shown first in a stack.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub(crate) fn new(in_app: Vec<&'static str>) -> Result<Self, reqwest::Error> {
        Ok(Self { http: reqwest::Client::builder().timeout(TIMEOUT).build()?, in_app: in_app.into() })
    }
}

impl TransportFactory for Factory {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn Transport> {
        let agent = &*options.user_agent;
        let request = self.http.post(options.dsn.envelope_api_url()).header(USER_AGENT, agent);
        let request = request.header("X-Sentry-Auth", options.dsn.to_auth(Some(agent)).to_string());
        let (envelopes, queued) = channel(CAPACITY);
        let (sending, done) = mpsc::channel();
        let sender = EnvelopeSender { request, in_app: self.in_app.clone(), limits: RateLimiter::new() };
        tokio::spawn(async move {
            sender.run(queued).await;
            drop(sending);
        });
        Arc::new(Queue(Mutex::new(Some(Open { envelopes, done }))))
    }
}

/// The queue; `None` once it is shut down.
struct Queue(Mutex<Option<Open>>);

struct Open {
    envelopes: Sender<Envelope>,
    /// Disconnected when everything is sent.
    done: mpsc::Receiver<()>,
}

impl Transport for Queue {
    fn send_envelope(&self, envelope: Envelope) {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.as_ref().is_none_or(|queue| queue.envelopes.try_send(envelope).is_err()) {
            count_drop();
        }
    }

    fn shutdown(&self, timeout: Duration) -> bool {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        queue.is_none_or(|Open { envelopes, done }| {
            drop(envelopes);
            done.recv_timeout(timeout) == Err(mpsc::RecvTimeoutError::Disconnected)
        })
    }
}

/// Sends the queued envelopes.
struct EnvelopeSender {
    request: RequestBuilder,
    in_app: Arc<[&'static str]>,
    limits: RateLimiter,
}

impl EnvelopeSender {
    /// Sends one envelope after the other until the queue is shut down.
    async fn run(mut self, mut queued: Receiver<Envelope>) {
        while let Some(envelope) = queued.recv().await {
            let sent = self.limits.is_enabled(category(&envelope)) && self.send(envelope).await;
            if !sent {
                count_drop();
            }
        }
    }

    /// Whether Sentry accepted the envelope.
    async fn send(&mut self, envelope: Envelope) -> bool {
        let in_app = self.in_app.clone();
        let body = tokio::task::spawn_blocking(move || body(envelope, &in_app)).await;
        let (Ok(Some(body)), Some(request)) = (body, self.request.try_clone()) else { return false };
        let Ok(response) = request.body(body).send().await else { return false };
        rate_limits::update(&mut self.limits, response.status(), response.headers());
        response.status().is_success()
    }
}

fn category(envelope: &Envelope) -> RateLimitingCategory {
    match envelope.items().next() {
        Some(EnvelopeItem::Event(_)) => RateLimitingCategory::Error,
        Some(EnvelopeItem::Transaction(_)) => RateLimitingCategory::Transaction,
        _ => RateLimitingCategory::Any,
    }
}

fn body(envelope: Envelope, in_app: &[&'static str]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    resolved(envelope, in_app).to_writer(&mut body).ok()?;
    Some(body)
}

/// The envelope with the symbols of its stacks.
pub(super) fn resolved(envelope: Envelope, in_app: &[&'static str]) -> Envelope {
    let mut resolved = Envelope::new().with_headers(envelope.headers().clone());
    for mut item in envelope.into_items() {
        if let EnvelopeItem::Event(event) = &mut item {
            let stacks = event.exception.iter_mut().filter_map(|exception| exception.stacktrace.as_mut());
            stacks.for_each(|stack| stack::resolve(stack, in_app));
        }
        resolved.add_item(item);
    }
    resolved
}
