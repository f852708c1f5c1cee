//! Callers who use the service as they should, while others attack it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Client;

use crate::service::Service;

/// How long a caller waits for a response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The pause of a caller between two requests.
const PAUSE: Duration = Duration::from_millis(100);

/// The number of callers.
const CALLERS: usize = 6;

/// The requests of all callers.
pub(crate) struct Callers {
    /// The outcome of each request.
    requests: Vec<Outcome>,
    /// The outcome of each request to the management port.
    management: Vec<Outcome>,
}

/// The latency of a request that succeeded, or why it failed.
type Outcome = Result<Duration, String>;

impl Callers {
    /// Sends requests for a time: half of the callers over a connection of their own, half over new ones.
    pub(crate) async fn run(service: &Service, length: Duration) -> Self {
        let end = Instant::now() + length;
        let callers = join_all((0..CALLERS).map(|caller| call(service, caller, end)));
        let (requests, management) = tokio::join!(callers, operate(service, end));
        Self { requests: requests.into_iter().flatten().collect(), management }
    }

    /// The percentage of requests that succeeded.
    pub(crate) fn succeeded_percent(&self) -> f64 {
        percent(&self.requests)
    }

    /// The percentage of requests to the management port that succeeded.
    pub(crate) fn management_percent(&self) -> f64 {
        percent(&self.management)
    }

    /// The 95th percentile of the latency of requests that succeeded, in milliseconds.
    pub(crate) fn p95_ms(&self) -> f64 {
        let mut latencies: Vec<_> = self.requests.iter().flatten().collect();
        latencies.sort();
        let p95 = latencies.get(latencies.len() * 95 / 100).or_else(|| latencies.last());
        p95.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
    }

    /// Why requests failed, each reason with its count.
    pub(crate) fn failures(&self) -> String {
        let mut counts = BTreeMap::<&str, usize>::new();
        for reason in self.requests.iter().filter_map(|outcome| outcome.as_ref().err()) {
            *counts.entry(reason).or_default() += 1;
        }
        let failed: usize = counts.values().sum();
        let listed: Vec<_> =
            counts.into_iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
        format!("{failed} of {}: {}", self.requests.len(), listed.join(", "))
    }
}

fn percent(requests: &[Outcome]) -> f64 {
    requests.iter().flatten().count() as f64 * 100.0 / requests.len() as f64
}

async fn call(service: &Service, caller: usize, end: Instant) -> Vec<Outcome> {
    let keeps_connection = caller.is_multiple_of(2);
    let client = client(keeps_connection);
    let mut requests = Vec::new();
    while Instant::now() < end {
        let path = ["/v1/products", "/v1/users/me", "/v1/orders?limit=5"][requests.len() % 3];
        let request = client.get(service.url(path)).bearer_auth(&service.token);
        let outcome = latency(request).await;
        requests.push(outcome.map_err(|reason| {
            format!("{reason} ({})", if keeps_connection { "kept connection" } else { "new connection" })
        }));
        tokio::time::sleep(PAUSE).await;
    }
    requests
}

async fn operate(service: &Service, end: Instant) -> Vec<Outcome> {
    let client = client(false);
    let mut requests = Vec::new();
    while Instant::now() < end {
        let path = ["/health/live", "/metrics"][requests.len() % 2];
        requests.push(latency(client.get(format!("http://{}{path}", service.management))).await);
        tokio::time::sleep(PAUSE).await;
    }
    requests
}

fn client(keeps_connection: bool) -> Client {
    let idle = if keeps_connection { usize::MAX } else { 0 };
    Client::builder().pool_max_idle_per_host(idle).timeout(TIMEOUT).build().unwrap()
}

async fn latency(request: reqwest::RequestBuilder) -> Outcome {
    let begun = Instant::now();
    let answer = async {
        let response = request.send().await?;
        let status = response.status();
        anyhow::Ok((status, response.bytes().await?))
    };
    match answer.await {
        Ok((status, _)) if status.is_success() => Ok(begun.elapsed()),
        Ok((status, body)) => Err(format!("{status} {}", code(&body))),
        // The innermost cause says what happened.
        Err(error) => Err(error.root_cause().to_string()),
    }
}

/// The code of a problem document.
fn code(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}
