//! Clients: they send prepared requests over connections that stay open, with as little work as possible, because they share the
//! machine with the service.

#[path = "responses.rs"]
mod responses;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use self::responses::receive;

/// How long a client waits for a response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the request of a number, as the bytes to send.
pub(crate) type Requests = Rc<dyn Fn(usize) -> Vec<u8>>;

/// Sends requests to a service. Clones share its connections, and number their requests together.
#[derive(Clone)]
pub(crate) struct Load {
    address: SocketAddr,
    requests: Requests,
    /// The latency above which a response is not a success.
    useful: Duration,
    sent: Rc<Cell<usize>>,
    idle: Rc<RefCell<Vec<TcpStream>>>,
}

/// The responses to the requests of a load.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Successes per second.
    pub(crate) rate: f64,
    /// The latency of each success.
    latencies: Vec<Duration>,
    /// The requests that were rejected with 503.
    pub(crate) shed: usize,
    /// All others: no response in time, or another error.
    pub(crate) failed: usize,
}

impl Load {
    /// A load whose requests are numbered from 0.
    pub(crate) fn new(address: SocketAddr, requests: Requests, useful: Duration) -> Self {
        Self { address, requests, useful, sent: Rc::default(), idle: Rc::default() }
    }

    /// The closed model: each of `clients` sends one request after the other for a time. The rate leaves out the last requests, which
    /// end after it.
    pub(crate) async fn closed(&self, clients: usize, length: Duration) -> Outcome {
        let (outcome, in_time) = (RefCell::new(Outcome::default()), Cell::new(0));
        let end = Instant::now() + length;
        let client = async || {
            while Instant::now() < end {
                let response = self.send().await;
                let mut outcome = outcome.borrow_mut();
                outcome.add(response, self.useful);
                if Instant::now() < end {
                    in_time.set(outcome.succeeded());
                }
            }
        };
        join_all((0..clients).map(|_| client())).await;
        Outcome { rate: in_time.get() as f64 / length.as_secs_f64(), ..outcome.into_inner() }
    }

    /// The open model: sends `rate` requests per second for a time, however long each takes.
    pub(crate) async fn open(&self, rate: f64, length: Duration) -> Outcome {
        let begun = Instant::now();
        let mut sent = JoinSet::new();
        for n in 0..(rate * length.as_secs_f64()) as usize {
            sleep_until(begun + Duration::from_secs_f64(n as f64 / rate)).await;
            let load = self.clone();
            sent.spawn_local(async move { load.send().await });
        }
        let mut outcome = Outcome::default();
        for response in sent.join_all().await {
            outcome.add(response, self.useful);
        }
        Outcome { rate: outcome.succeeded() as f64 / length.as_secs_f64(), ..outcome }
    }

    /// The status of the response to the next request, if there is one in time, and its latency.
    async fn send(&self) -> (Option<u16>, Duration) {
        let request = (self.requests)(self.sent.replace(self.sent.get() + 1));
        let begun = Instant::now();
        let status = timeout(TIMEOUT, self.exchange(&request)).await;
        (status.ok().and_then(Result::ok), begun.elapsed())
    }

    /// An idle connection. The server closes those that are idle for long.
    fn reused(&self) -> Option<TcpStream> {
        let mut idle = self.idle.borrow_mut();
        std::iter::from_fn(|| idle.pop()).find(is_open)
    }

    async fn exchange(&self, request: &[u8]) -> io::Result<u16> {
        let mut connection = match self.reused() {
            Some(connection) => connection,
            None => TcpStream::connect(self.address).await?,
        };
        connection.write_all(request).await?;
        let (status, stays_open) = receive(&mut connection).await?;
        if stays_open {
            self.idle.borrow_mut().push(connection);
        }
        Ok(status)
    }
}

/// Whether the server has not closed an idle connection.
fn is_open(connection: &TcpStream) -> bool {
    connection.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

impl Outcome {
    fn add(&mut self, (status, latency): (Option<u16>, Duration), useful: Duration) {
        match status {
            Some(200..=299) if latency < useful => self.latencies.push(latency),
            Some(503) => self.shed += 1,
            _ => self.failed += 1,
        }
    }

    /// The number of requests.
    pub(crate) fn requests(&self) -> usize {
        self.succeeded() + self.shed + self.failed
    }

    /// The number of successes.
    pub(crate) fn succeeded(&self) -> usize {
        self.latencies.len()
    }

    /// A percentile of the latency of successes, from 0 to 99, in milliseconds.
    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        let mut latencies = self.latencies.clone();
        latencies.sort();
        let latency = latencies.get(latencies.len() * percent / 100);
        latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// The bytes of a request with an idempotency key. Without a body, `body` is empty.
pub(crate) fn request(line: &str, token: Option<&str>, key: &str, body: &str) -> Vec<u8> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\n{authorization}Idempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
