//! Labels of CPU samples: which endpoint, and which span, a sample belongs to.
//!
//! # What it does
//!
//! While a thread works for a request, its name is a label such as `~CAkQ3xTz0nAeB`: a mark, the number of the route
//! pattern, and the id of the request's root span. [`Label::during`] sets the name before each poll of the request's
//! future, and restores it after the poll. The signal handler that takes a sample records the name of its thread, and
//! the reader of samples turns it into the pprof labels `endpoint` and `span_id`. Code that hands work to another thread
//! takes the label along with [`Label::current`] and [`Label::enter`].
//!
//! So the profiles of endpoints are distinct, and a span leads to its own samples: the root span
//! carries its id as `pyroscope.profile.id`, which is the attribute that Grafana looks for.
//!
//! # Why the name of the thread
//!
//! Pyroscope's agent for Rust tags threads, not tasks. In an async service a thread polls many requests in turn, and a
//! task moves between threads, so the tag has to change with every poll. The agent's `add_tag` and `remove_tag` take a
//! lock and resolve all samples so far each time, which is too slow for that. The signal handler of `pprof` copies
//! the thread's name into each sample anyway, and setting the name is one system call without a lock.
//!
//! # What it costs
//!
//! Two system calls (`prctl(PR_SET_NAME)`) for each poll of a request's future. While no profile is taken there is no
//! label, and a request costs one atomic load.
//!
//! # Limits
//!
//! - Linux only; elsewhere samples have no labels.
//! - A name has 15 bytes. That is room for 4096 route patterns; further ones get no label.
//! - `top -H`, `ps -L` and debuggers show the label while a thread works for a request. The name that the thread had
//!   before comes back after each poll. A panic hook that asks `std::thread::current().name()` is not affected: that
//!   name is kept by the standard library.
//! - Equal stacks of one thread within 100 ms, between two readings of the samples, count under the label of the first.
//! - Work in a task or on a thread that was spawned without the label has none; it is drawn under `(no request)`.

mod codec;
mod thread_name;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, SpanId};

use self::thread_name::ThreadName;

/// The request that a thread works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(ThreadName);

/// Whether samples are being taken.
static ENABLED: AtomicBool = AtomicBool::new(false);

/// Labels requests from now on, or no longer. The sampler calls it when it starts and when it stops.
pub(super) fn enable(is_enabled: bool) {
    ENABLED.store(is_enabled, Ordering::Relaxed);
}

thread_local! {
    static CURRENT: Cell<Option<Label>> = const { Cell::new(None) };
    /// The name of the thread while it works for no request.
    static OWN_NAME: ThreadName = ThreadName::current();
}

impl Label {
    /// The label of a request to this route pattern; `None` while no profile is taken. If the request's trace is
    /// recorded, the current span, which must be its root span, gets the attribute `pyroscope.profile.id`.
    #[must_use]
    pub fn for_request(endpoint: &str) -> Option<Self> {
        if !ENABLED.load(Ordering::Relaxed) {
            return None;
        }
        let context = Context::current();
        let span = context.span().span_context().clone();
        let span = span.is_sampled().then(|| span.span_id());
        if let Some(span) = span {
            tracing::Span::current().record("pyroscope.profile.id", span.to_string());
        }
        Self::new(endpoint, span)
    }

    /// The label of the current thread, for work that continues on another thread.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// Labels this future, on whichever threads it is polled.
    pub async fn during<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _labeled = self.enter();
            future.as_mut().poll(context)
        })
        .await
    }

    /// Labels the current thread until the guard is dropped.
    #[must_use]
    pub fn enter(self) -> LabelGuard {
        // Read before the name changes for the first time.
        OWN_NAME.with(|_| ());
        self.0.set();
        LabelGuard { previous: CURRENT.replace(Some(self)) }
    }

    fn new(endpoint: &str, span: Option<SpanId>) -> Option<Self> {
        Some(Self(ThreadName::new(codec::encode(codec::endpoint_index(endpoint)?, span))))
    }

    /// The endpoint and the span of a sample whose thread had this name, if the name is a label.
    pub(super) fn decode(thread_name: &str) -> Option<(String, Option<SpanId>)> {
        codec::decode(thread_name)
    }
}

/// Restores the previous label of the thread when it is dropped.
#[derive(Debug)]
pub struct LabelGuard {
    previous: Option<Label>,
}

impl Drop for LabelGuard {
    fn drop(&mut self) {
        CURRENT.set(self.previous);
        match self.previous {
            Some(label) => label.0.set(),
            None => OWN_NAME.with(ThreadName::set),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_has_the_label_of_the_future_that_it_polls() {
        let own = ThreadName::current();
        let (first, second) = (Label::new("/first", None).unwrap(), Label::new("/second", None).unwrap());
        let work = async |label: Label| {
            for _ in 0..3 {
                assert_eq!((ThreadName::current(), Label::current()), (label.0, Some(label)));
                tokio::task::yield_now().await;
            }
            let inner = second.enter();
            assert_eq!(ThreadName::current(), second.0);
            drop(inner);
            assert_eq!(ThreadName::current(), label.0);
        };
        let idle = async {
            for _ in 0..3 {
                assert_eq!((ThreadName::current(), Label::current()), (own, None));
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(first.during(work(first)), idle, second.during(work(second)));
        assert_eq!((ThreadName::current(), Label::current()), (own, None));
    }
}
