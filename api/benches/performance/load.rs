//! Loads of one thread.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::clients::Load;
pub(crate) use crate::clients::{Outcome, Requests, request};
use crate::runtime::block_on;

/// Each of `connections` sends one request after the other, for a time.
pub(crate) fn closed(
    address: SocketAddr,
    connections: usize,
    length: Duration,
    requests: &Requests,
) -> Outcome {
    run(address, requests, async |load| load.closed(connections, length).await)
}

/// Sends `rate` requests a second for a time, however long each takes.
pub(crate) fn open(address: SocketAddr, rate: f64, length: Duration, requests: &Requests) -> Outcome {
    run(address, requests, async |load| load.open(rate, length).await)
}

/// Runs a load. The measurement has failed if more than one of a hundred requests did.
fn run(address: SocketAddr, requests: &Requests, load: impl AsyncFnOnce(Load) -> Outcome) -> Outcome {
    let outcome = block_on(load(Load::new(address, Rc::clone(requests), Duration::MAX)));
    let failed = outcome.requests() - outcome.succeeded();
    assert!(failed * 100 <= outcome.requests(), "{failed} of {} requests failed", outcome.requests());
    outcome
}
