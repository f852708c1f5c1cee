//! Traffic: samples of the counters of `/metrics`, and what Prometheus would compute of them: increases, ratios and quantiles.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glasshouse_telemetry::metrics::{BUCKETS, EndpointTotals, HttpMetrics, HttpTotals};
use glasshouse_telemetry::service::metrics::BusinessMetrics;
use serde::Serialize;
use time::OffsetDateTime;

/// How many samples are kept: one a second.
const SAMPLES: usize = 301;

/// The window of a point of the charts. At the demo's rate, a shorter one would have too few requests for a quantile.
const POINT_WINDOW: Duration = Duration::from_secs(10);

/// Counts of durations: up to each bound of [`BUCKETS`], and above the last one. Not cumulative.
type Histogram = [u64; BUCKETS.len() + 1];

/// Samples of the counters of the last five minutes.
#[derive(Debug)]
pub struct Traffic {
    http: HttpMetrics,
    business: BusinessMetrics,
    samples: Mutex<VecDeque<Sample>>,
}

#[derive(Clone, Debug)]
struct Sample {
    at: Instant,
    time: OffsetDateTime,
    totals: HttpTotals,
    revenue_usd: f64,
}

/// Requests of a window of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Completed requests.
    pub requests: u64,
    /// Those with a 5xx.
    pub failed: u64,
    /// Requests per second.
    pub rate: f64,
    /// The ratio of failed requests; `None` without requests.
    pub error_ratio: Option<f64>,
    /// Quantiles of the duration in seconds, by linear interpolation as PromQL's `histogram_quantile`.
    pub p50: Option<f64>,
    /// See `p50`.
    pub p95: Option<f64>,
    /// See `p50`.
    pub p99: Option<f64>,
}

/// Requests of one endpoint in a window of time.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointCounts {
    /// The method.
    pub method: String,
    /// The route pattern.
    pub endpoint: String,
    /// Its requests.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The requests of a window of time, without health checks, as in the rules of the alerts.
#[derive(Clone, Debug, Serialize)]
pub struct Window {
    /// Its length in seconds. It is shorter than asked for at the start of the process.
    pub seconds: f64,
    /// All requests.
    pub all: Counts,
    /// Requests by endpoint, the busiest first; those with requests alone.
    pub endpoints: Vec<EndpointCounts>,
    /// Revenue of paid orders, in USD.
    pub revenue_usd: f64,
    /// Requests in flight at its end.
    pub in_flight: i64,
}

/// A point of the charts: the state at one time.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// In milliseconds since 1970.
    pub time_ms: i64,
    /// The requests of the ten seconds before it.
    #[serde(flatten)]
    pub counts: Counts,
    /// Requests in flight.
    pub in_flight: i64,
    /// Revenue since the process began, in USD.
    pub revenue_usd: f64,
    /// The durations of the requests of the last second, by bucket.
    pub durations: Vec<u64>,
}

impl Traffic {
    /// Samples these metrics.
    #[must_use]
    pub fn new(http: HttpMetrics, business: BusinessMetrics) -> Self {
        Self { http, business, samples: Mutex::default() }
    }

    /// Takes a sample.
    pub fn sample(&self) {
        let sample = Sample {
            at: Instant::now(),
            time: OffsetDateTime::now_utc(),
            totals: self.http.totals(),
            revenue_usd: self.business.total_revenue(),
        };
        let mut samples = self.samples();
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// The requests of the last `seconds`; `None` before the second sample.
    #[must_use]
    pub fn window(&self, seconds: u64) -> Option<Window> {
        let samples = self.samples();
        let newest = samples.back()?;
        let oldest = before(&samples, samples.len() - 1, Duration::from_secs(seconds))?;
        let length = newest.at - oldest.at;
        let (mut all, mut endpoints) = (Increase::default(), Vec::new());
        for (endpoint, increase) in increases(oldest, newest) {
            all.add(&increase);
            let counts = increase.counts(length);
            let (method, endpoint) = endpoint.clone();
            endpoints.push(EndpointCounts { method, endpoint, counts });
        }
        endpoints.retain(|endpoint| endpoint.counts.requests > 0);
        endpoints.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.counts.requests));
        Some(Window {
            seconds: length.as_secs_f64(),
            all: all.counts(length),
            endpoints,
            revenue_usd: newest.revenue_usd - oldest.revenue_usd,
            in_flight: newest.totals.in_flight,
        })
    }

    /// The points of all samples, oldest first.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        let samples = self.samples();
        (0..samples.len()).filter_map(|index| point(&samples, index)).collect()
    }

    /// The point of the newest sample; `None` before the second one.
    #[must_use]
    pub fn newest_point(&self) -> Option<Point> {
        let samples = self.samples();
        point(&samples, samples.len().checked_sub(1)?)
    }

    fn samples(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sample that is this much older than that at `index`, or else the oldest one; `None` if there is no older one.
fn before(samples: &VecDeque<Sample>, index: usize, age: Duration) -> Option<&Sample> {
    let newest = samples.get(index)?;
    let mut older = samples.iter().take(index).rev();
    // The timer may be some milliseconds early or late.
    let margin = super::SAMPLE_EVERY / 2;
    older.clone().find(|sample| newest.at - sample.at + margin >= age).or(older.next_back())
}

fn point(samples: &VecDeque<Sample>, index: usize) -> Option<Point> {
    let sample = samples.get(index)?;
    let (old, last) = (before(samples, index, POINT_WINDOW)?, before(samples, index, Duration::ZERO)?);
    let sum = |since: &Sample| {
        let mut all = Increase::default();
        increases(since, sample).for_each(|(_, increase)| all.add(&increase));
        all
    };
    Some(Point {
        time_ms: i64::try_from(sample.time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
        counts: sum(old).counts(sample.at - old.at),
        in_flight: sample.totals.in_flight,
        revenue_usd: sample.revenue_usd,
        durations: sum(last).durations.to_vec(),
    })
}

/// What the counters of requests gained between two samples.
#[derive(Clone, Debug, Default)]
struct Increase {
    requests: u64,
    failed: u64,
    durations: Histogram,
}

type Endpoint = (String, String);

/// The increase of each endpoint but the health checks.
fn increases<'a>(old: &'a Sample, new: &'a Sample) -> impl Iterator<Item = (&'a Endpoint, Increase)> {
    let none = EndpointTotals::default();
    let endpoints = new.totals.endpoints.iter().filter(|((_, path), _)| !path.starts_with("/health/"));
    endpoints.map(move |(endpoint, totals)| {
        let before = old.totals.endpoints.get(endpoint).unwrap_or(&none);
        (endpoint, Increase::between(before, totals))
    })
}

impl Increase {
    fn between(old: &EndpointTotals, new: &EndpointTotals) -> Self {
        let sum = |of: &BTreeMap<String, u64>, first: &str| -> u64 {
            of.iter().filter(|(status, _)| status.starts_with(first)).map(|(_, count)| count).sum()
        };
        let more = |first| sum(&new.by_status, first).saturating_sub(sum(&old.by_status, first));
        let (new, old) = (histogram(new), histogram(old));
        let durations = std::array::from_fn(|bucket| new[bucket].saturating_sub(old[bucket]));
        Self { requests: more(""), failed: more("5"), durations }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.durations.iter_mut().zip(other.durations).for_each(|(sum, more)| *sum += more);
    }

    fn counts(&self, length: Duration) -> Counts {
        let seconds = length.as_secs_f64();
        let quantile = |q| quantile(q, &self.durations);
        Counts {
            requests: self.requests,
            failed: self.failed,
            rate: if seconds > 0.0 { self.requests as f64 / seconds } else { 0.0 },
            error_ratio: (self.requests > 0).then(|| self.failed as f64 / self.requests as f64),
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
        }
    }
}

/// The durations of an endpoint, not cumulative.
fn histogram(totals: &EndpointTotals) -> Histogram {
    let mut below = 0;
    std::array::from_fn(|bucket| {
        let up_to = totals.buckets.get(bucket).copied().unwrap_or(totals.count);
        let count = up_to.saturating_sub(below);
        below = up_to;
        count
    })
}

/// A quantile as PromQL's `histogram_quantile` has it: linear within its bucket, and the highest bound above that. `None` without
/// observations.
fn quantile(q: f64, durations: &Histogram) -> Option<f64> {
    let count: u64 = durations.iter().sum();
    let rank = q * count as f64;
    let mut below = 0.0;
    for (bucket, in_bucket) in durations.iter().enumerate() {
        let in_bucket = *in_bucket as f64;
        if in_bucket > 0.0 && below + in_bucket >= rank {
            let Some(upper) = BUCKETS.get(bucket) else { return BUCKETS.last().copied() };
            let lower = bucket.checked_sub(1).map_or(0.0, |lower| BUCKETS[lower]);
            return Some(lower + (upper - lower) * (rank - below) / in_bucket);
        }
        below += in_bucket;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_promql() {
        let mut durations = Histogram::default();
        assert_eq!(quantile(0.5, &durations), None);
        // 10 up to 5 ms, 10 up to 10 ms.
        (durations[0], durations[1]) = (10, 10);
        for (q, expected) in [(0.25, 0.0025), (0.5, 0.005), (0.75, 0.0075), (1.0, 0.01)] {
            let found = quantile(q, &durations).unwrap();
            assert!((found - expected).abs() < 1e-9, "{q}: {found}");
        }
        durations[BUCKETS.len()] = 1000;
        assert_eq!(quantile(0.99, &durations), Some(10.0), "above the highest bound");
    }
}
