//! Helpers of the integration tests.

mod app;
mod browser;
mod client;
mod database;
mod events;
mod operations;
mod playground;
mod pooler;
mod process;
mod proxy;
mod raw;
mod raw_redis;
mod received;
mod scrape;
mod sentry;
mod shop;
#[cfg(target_os = "linux")]
mod skewed_clock;
mod spans;
mod tls;
mod wire;

pub(crate) use app::{Backend, PASSWORD, TEST_SETTINGS, TestApp};
pub(crate) use browser::{Browser, Screen};
pub(crate) use client::{Client, Response, key, new_slug};
pub(crate) use database::{TestDatabase, connect, optional_variable, test_variable};
pub(crate) use events::Events;
pub(crate) use operations::{assert_complete, operations, required_fields};
pub(crate) use playground::{Playground, named, valid_bodies};
pub(crate) use pooler::{PgBouncer, strict_about_parameters};
pub(crate) use process::{Ended, Process, Settings, log_lines, settings};
pub(crate) use proxy::{BehindProxies, Proxy};
pub(crate) use raw::{exchange, header};
pub(crate) use raw_redis::RawRedis;
pub(crate) use received::Received;
pub(crate) use scrape::Scrape;
pub(crate) use sentry::{Behavior, FakeSentry};
pub(crate) use shop::{NO_WORKER, SHORT_TIMEOUTS, concurrently, statuses};
#[cfg(target_os = "linux")]
pub(crate) use skewed_clock::with_skewed_clock;
pub(crate) use spans::{CALLER, SpanReceiver, has_attribute, has_failed, new_trace, traceparent};
pub(crate) use tls::Authority;
pub(crate) use wire::WireTap;

use std::time::Duration;

/// Declares tests that run on both backends: `async fn name(backend: Backend)` becomes the tests `name::embedded`
/// and `name::servers`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            use crate::support::Backend;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                super::$name(Backend::Embedded).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn servers() {
                super::$name(Backend::Servers).await;
            }
        }
    )+ };
}
pub(crate) use on_both;

/// Polls `condition` until it returns a value; panics after 30 seconds.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
