//! Settings of the public HTTP server: where it listens, what it accepts, and how often.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::thread::available_parallelism;
use std::time::Duration;

use glasshouse_infra::rate_limit::{Quota, Quotas};

use super::TrustedProxies;
use crate::environment::Reader;

/// The public HTTP server.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The address to listen on. Port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// The number of threads that serve requests.
    pub workers: usize,
    /// The maximum number of connections.
    pub connections: usize,
    /// Limits of one request.
    pub limits: Limits,
    /// Rate limits by plan.
    pub quotas: Quotas,
    /// The proxies in front of the server.
    pub trusted_proxies: TrustedProxies,
}

impl HttpSettings {
    pub(super) fn read(env: &mut Reader) -> Self {
        let cores = available_parallelism().map_or(2, usize::from);
        let workers = env.number("GLASSHOUSE_HTTP_WORKERS", cores as u64, 1..=256);
        Self {
            address: env.or("GLASSHOUSE_HTTP_ADDR", SocketAddr::from(([127, 0, 0, 1], 8080))),
            workers: usize::try_from(workers).unwrap_or(cores),
            connections: size(env.number("GLASSHOUSE_MAX_CONNECTIONS", 4096, 16..=1_000_000)),
            limits: Limits::read(env),
            quotas: quotas(env),
            trusted_proxies: TrustedProxies::read(env),
        }
    }
}

fn quotas(env: &mut Reader) -> Quotas {
    let processes = env.number("GLASSHOUSE_RATE_LIMIT_PROCESSES", 1, 1..=10_000);
    let processes = u32::try_from(processes).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    let mut quota = |name, per_second, burst| quota(env, name, Quota { per_second, burst });
    Quotas {
        free: quota("GLASSHOUSE_RATE_LIMIT_FREE", 20, 40),
        pro: quota("GLASSHOUSE_RATE_LIMIT_PRO", 200, 400),
        enterprise: quota("GLASSHOUSE_RATE_LIMIT_ENTERPRISE", 2000, 4000),
        processes,
    }
}

/// Reads a quota written as `PER_SECOND/BURST`.
fn quota(env: &mut Reader, name: &'static str, default: Quota) -> Quota {
    let Some(text) = env.text(name) else { return default };
    let part = |part: Option<&str>| part.and_then(|n| n.trim().parse::<u32>().ok()).filter(|n| *n > 0);
    let mut parts = text.split('/');
    match (part(parts.next()), part(parts.next()), parts.next()) {
        (Some(per_second), Some(burst), None) => Quota { per_second, burst },
        _ => {
            env.wrong(
                name,
                &format!("must be requests per second, a slash and the burst, such as 20/40, not {text:?}"),
            );
            default
        }
    }
}

/// Limits of one request, and of how many run concurrently.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Limits of the body.
    pub body: BodyLimits,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// The maximum number of in-flight requests. Requests above it are shed.
    pub concurrent_requests: usize,
    /// The wait for the database above which the limit of in-flight requests is lowered.
    pub queue_target: Duration,
    /// Items on a page, unless the client asks for another number.
    pub default_page_size: u64,
    /// The maximum number of items on a page.
    pub max_page_size: u64,
    /// The maximum number of items of an order.
    pub order_items: usize,
}

/// Limits of the body of a request.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The maximum size, in bytes, inflated.
    pub bytes: usize,
    /// How long a client may take to send it.
    pub timeout: Duration,
}

fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The limits without any setting.
impl Default for Limits {
    fn default() -> Self {
        Self::read(&mut Reader::new(|_| None))
    }
}

impl Limits {
    fn read(env: &mut Reader) -> Self {
        let max_page_size = env.number("GLASSHOUSE_MAX_PAGE_SIZE", 100, 1..=1000);
        Self {
            body: BodyLimits {
                bytes: size(env.number("GLASSHOUSE_MAX_BODY_BYTES", 65_536, 1024..=16_777_216)),
                timeout: env.milliseconds("GLASSHOUSE_BODY_TIMEOUT_MS", 10_000),
            },
            header_timeout: env.milliseconds("GLASSHOUSE_HEADER_TIMEOUT_MS", 5_000),
            request_timeout: env.milliseconds("GLASSHOUSE_REQUEST_TIMEOUT_MS", 15_000),
            concurrent_requests: size(env.number("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", 512, 1..=100_000)),
            queue_target: env.milliseconds("GLASSHOUSE_QUEUE_TARGET_MS", 50),
            default_page_size: max_page_size.min(20),
            max_page_size,
            order_items: size(env.number("GLASSHOUSE_MAX_ORDER_ITEMS", 50, 1..=500)),
        }
    }
}
