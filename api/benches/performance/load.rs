//! Clients: one thread that sends prepared requests over connections that stay open.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::responses::receive;
use crate::runtime::block_on;

/// How long a client waits for a response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the request of a number, as the bytes to send.
pub(crate) type Requests = Rc<dyn Fn(usize) -> Vec<u8>>;

/// The responses to the requests of a load.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    seconds: f64,
    /// The latency of each success.
    latencies: Vec<Duration>,
    failed: usize,
    /// The CPU time of the clients.
    client_seconds: f64,
}

/// Each of `connections` sends one request after the other, for a time.
pub(crate) fn closed(
    address: SocketAddr,
    connections: usize,
    length: Duration,
    requests: &Requests,
) -> Outcome {
    measured(async || {
        let (end, number, outcome) = (Instant::now() + length, Cell::new(0), RefCell::default());
        let client = async || {
            let mut connection = None;
            while Instant::now() < end {
                send(address, &mut connection, &requests(number.replace(number.get() + 1)), &outcome).await;
            }
        };
        join_all((0..connections).map(|_| client())).await;
        outcome.into_inner()
    })
}

/// Sends `rate` requests a second for a time, however long each takes.
pub(crate) fn open(address: SocketAddr, rate: f64, length: Duration, requests: &Requests) -> Outcome {
    measured(async || {
        let (begun, outcome, idle) =
            (Instant::now(), Rc::new(RefCell::default()), Rc::new(RefCell::new(Vec::new())));
        let mut sent = JoinSet::new();
        for number in 0..(rate * length.as_secs_f64()) as usize {
            sleep_until(begun + Duration::from_secs_f64(number as f64 / rate)).await;
            let (request, outcome, idle) = (requests(number), Rc::clone(&outcome), Rc::clone(&idle));
            sent.spawn_local(async move {
                let mut connection = idle.borrow_mut().pop();
                send(address, &mut connection, &request, &outcome).await;
                idle.borrow_mut().extend(connection);
            });
        }
        sent.join_all().await;
        outcome.take()
    })
}

/// Sends a request, on a new connection if there is none, and records the outcome.
async fn send(
    address: SocketAddr,
    connection: &mut Option<TcpStream>,
    request: &[u8],
    outcome: &RefCell<Outcome>,
) {
    let begun = Instant::now();
    let exchange = async {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => TcpStream::connect(address).await?,
        };
        stream.write_all(request).await?;
        let (status, stays_open) = receive(&mut stream).await?;
        *connection = stays_open.then_some(stream);
        std::io::Result::Ok(status)
    };
    match timeout(TIMEOUT, exchange).await {
        Ok(Ok(200..=299)) => outcome.borrow_mut().latencies.push(begun.elapsed()),
        _ => outcome.borrow_mut().failed += 1,
    }
}

fn measured(load: impl AsyncFnOnce() -> Outcome) -> Outcome {
    let (begun, used) = (Instant::now(), thread_cpu_seconds());
    let outcome = block_on(load());
    let client_seconds = thread_cpu_seconds() - used;
    let outcome = Outcome { seconds: begun.elapsed().as_secs_f64(), client_seconds, ..outcome };
    let (failed, requests) = (outcome.failed, outcome.failed + outcome.requests());
    assert!(failed * 100 <= requests, "{failed} of {requests} requests failed");
    outcome
}

fn thread_cpu_seconds() -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedstat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

impl Outcome {
    /// The requests that succeeded.
    pub(crate) fn requests(&self) -> usize {
        self.latencies.len()
    }

    /// Successful requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests() as f64 / self.seconds
    }

    /// How much of a core the clients used, from 0 to 1.
    pub(crate) fn client_cores(&self) -> f64 {
        self.client_seconds / self.seconds
    }

    /// The 95th percentile of the latency, in milliseconds.
    pub(crate) fn p95_ms(&self) -> f64 {
        let mut latencies = self.latencies.clone();
        latencies.sort();
        latencies[latencies.len() * 95 / 100].as_secs_f64() * 1000.0
    }
}

/// The bytes of a request. Without a body, `body` is empty.
pub(crate) fn request(line: &str, token: Option<&str>, key: &str, body: &str) -> Vec<u8> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\n{authorization}Idempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
