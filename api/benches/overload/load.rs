//! Clients: each sends requests over connections that stay open, with as little work as possible, because they share the
//! machine with the service.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::requests::Requests;
use crate::responses::receive;

/// How long a client waits for a response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A response that takes longer is of no use.
const USEFUL: Duration = Duration::from_secs(1);

/// What sends requests to the service. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Load {
    address: SocketAddr,
    requests: Rc<Requests>,
    idle: Rc<RefCell<Vec<TcpStream>>>,
}

/// The responses to the requests of a load.
#[derive(Default)]
pub(crate) struct Outcome {
    length: Duration,
    /// The latency of each success.
    successes: Vec<Duration>,
    /// The requests that were rejected with 503 and `Retry-After`.
    pub(crate) shed: usize,
    /// All others: no response in time, or another error.
    pub(crate) failed: usize,
}

impl Load {
    pub(crate) fn new(address: SocketAddr, requests: Requests) -> Self {
        Self { address, requests: Rc::new(requests), idle: Rc::default() }
    }

    /// This many clients send one request after the other for a time.
    pub(crate) async fn closed(&self, clients: usize, length: Duration) -> Outcome {
        let outcome = RefCell::new(Outcome { length, ..Outcome::default() });
        let end = Instant::now() + length;
        let client = async || {
            while Instant::now() < end {
                let (status, latency) = self.send().await;
                outcome.borrow_mut().add(status, latency);
            }
        };
        join_all((0..clients).map(|_| client())).await;
        outcome.into_inner()
    }

    /// Sends this many requests per second for a time, whatever becomes of them.
    pub(crate) async fn open(&self, rate: f64, length: Duration) -> Outcome {
        let begun = Instant::now();
        let mut sent = JoinSet::new();
        for n in 0..(rate * length.as_secs_f64()) as usize {
            sleep_until(begun + Duration::from_secs_f64(n as f64 / rate)).await;
            let load = self.clone();
            sent.spawn_local(async move { load.send().await });
        }
        let mut outcome = Outcome { length, ..Outcome::default() };
        for (status, latency) in sent.join_all().await {
            outcome.add(status, latency);
        }
        outcome
    }

    /// The status of the response to the next request, if there is one in time, and its latency.
    async fn send(&self) -> (Option<u16>, Duration) {
        let begun = Instant::now();
        let status = timeout(TIMEOUT, self.exchange()).await;
        (status.ok().and_then(Result::ok), begun.elapsed())
    }

    async fn exchange(&self) -> io::Result<u16> {
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => TcpStream::connect(self.address).await?,
        };
        connection.write_all(&self.requests.next()).await?;
        let (status, stays_open) = receive(&mut connection).await?;
        if stays_open {
            self.idle.borrow_mut().push(connection);
        }
        Ok(status)
    }
}

impl Outcome {
    fn add(&mut self, status: Option<u16>, latency: Duration) {
        match status {
            Some(200..=299) if latency < USEFUL => self.successes.push(latency),
            Some(503) => self.shed += 1,
            _ => self.failed += 1,
        }
    }

    pub(crate) fn requests(&self) -> usize {
        self.succeeded() + self.shed + self.failed
    }

    pub(crate) fn succeeded(&self) -> usize {
        self.successes.len()
    }

    /// The successes per second.
    pub(crate) fn goodput(&self) -> f64 {
        self.succeeded() as f64 / self.length.as_secs_f64()
    }

    /// The 95th percentile of the latency of successes, in milliseconds.
    pub(crate) fn p95_ms(&self) -> f64 {
        let mut latencies: Vec<_> = self.successes.iter().collect();
        latencies.sort();
        let p95 = latencies.get(latencies.len() * 95 / 100).or_else(|| latencies.last());
        p95.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
    }
}
