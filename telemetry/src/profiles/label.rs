//! Whose work a sample shows.
//!
//! The handler that takes a sample notes the name of the thread, so a label travels in that name: it is set
//! before each poll of the request's future and taken away after it. Nothing is locked, and a thread that
//! serves many requests in turn is told apart sample by sample. The name is one system call away; the tags of
//! the crate `pyroscope` instead read and resolve all samples so far, under a lock, for each tag that is set.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{LazyLock, PoisonError, RwLock};

use indexmap::IndexSet;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, SpanId};

use super::sampler;

/// The longest name of a thread, and the zero behind it.
const LENGTH: usize = 16;
/// What the name of a thread that works for a request begins with.
const MARK: u8 = b'~';
/// How many digits of a name stand for the endpoint, and how many for the span.
const DIGITS: (usize, usize) = (2, 11);
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// As many endpoints as fit in their digits; there are a few dozen.
const MOST_ENDPOINTS: usize = 64 * 64;

/// The route patterns that were labelled so far. A label holds the index of its own.
static ENDPOINTS: LazyLock<RwLock<IndexSet<String>>> = LazyLock::new(RwLock::default);

/// The request that a thread works for, as the thread's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label([u8; LENGTH]);

thread_local! {
    static CURRENT: Cell<Option<Label>> = const { Cell::new(None) };
    /// What the thread is called while it works for no request.
    static OWN_NAME: Label = thread_name::get();
}

impl Label {
    /// The label of a request to this route pattern; none while nobody takes samples. If the request's trace is
    /// recorded, its root span, which is the current one, learns under which id its samples are found.
    #[must_use]
    pub fn of_request(endpoint: &str) -> Option<Self> {
        if !sampler::is_running() {
            return None;
        }
        let context = Context::current();
        let span = context.span().span_context().clone();
        let span = span.is_sampled().then(|| span.span_id());
        if let Some(span) = span {
            tracing::Span::current().record("pyroscope.profile.id", span.to_string());
        }
        Some(Self::encode(index_of(endpoint)?, span))
    }

    /// What this thread works for now, to be taken along to another thread.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// Labels whatever this future does, on whichever thread it is polled.
    pub async fn during<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _labelled = self.enter();
            future.as_mut().poll(context)
        })
        .await
    }

    /// Labels what this thread does until the answer is dropped.
    #[must_use]
    pub fn enter(self) -> Labelled {
        OWN_NAME.with(|_name_before_it_changes| ());
        thread_name::set(&self);
        Labelled { before: CURRENT.replace(Some(self)) }
    }

    fn encode(endpoint: usize, span: Option<SpanId>) -> Self {
        let mut name = [0; LENGTH];
        name[0] = MARK;
        let (endpoint_name, span_name) = name[1..=DIGITS.0 + DIGITS.1].split_at_mut(DIGITS.0);
        write(endpoint as u64, endpoint_name);
        if let Some(span) = span {
            write(u64::from_be_bytes(span.to_bytes()), span_name);
        }
        Self(name)
    }

    /// The endpoint and the span that the name of a thread stands for, if it is a label.
    pub(super) fn decode(name: &str) -> Option<(String, Option<SpanId>)> {
        let digits = name.as_bytes().strip_prefix(&[MARK])?;
        let (endpoint, span) = digits.split_at_checked(DIGITS.0)?;
        let endpoint = usize::try_from(read(endpoint)?).ok()?;
        let endpoints = ENDPOINTS.read().unwrap_or_else(PoisonError::into_inner);
        let endpoint = endpoints.get_index(endpoint)?.clone();
        let span = if span.is_empty() { None } else { Some(read(span)?) };
        Some((endpoint, span.map(|span| SpanId::from_bytes(span.to_be_bytes()))))
    }
}

/// The thread works for somebody, until this is dropped.
#[derive(Debug)]
pub struct Labelled {
    before: Option<Label>,
}

impl Drop for Labelled {
    fn drop(&mut self) {
        CURRENT.set(self.before);
        match self.before {
            Some(label) => thread_name::set(&label),
            None => OWN_NAME.with(thread_name::set),
        }
    }
}

fn index_of(endpoint: &str) -> Option<usize> {
    let known = ENDPOINTS.read().unwrap_or_else(PoisonError::into_inner).get_index_of(endpoint);
    known.or_else(|| {
        let mut endpoints = ENDPOINTS.write().unwrap_or_else(PoisonError::into_inner);
        (endpoints.len() < MOST_ENDPOINTS).then(|| endpoints.insert_full(endpoint.to_owned()).0)
    })
}

fn write(mut number: u64, digits: &mut [u8]) {
    for digit in digits {
        *digit = ALPHABET[(number % 64) as usize];
        number /= 64;
    }
}

fn read(digits: &[u8]) -> Option<u64> {
    digits.iter().rev().try_fold(0_u64, |number, digit| {
        let digit = ALPHABET.iter().position(|known| known == digit)?;
        Some(number.wrapping_mul(64).wrapping_add(digit as u64))
    })
}

#[cfg(target_os = "linux")]
mod thread_name {
    use std::ffi::CStr;

    use super::{LENGTH, Label};

    pub(super) fn get() -> Label {
        let mut name = [0; LENGTH];
        if let Ok(own) = rustix::thread::name() {
            let own = own.to_bytes();
            let length = own.len().min(LENGTH - 1);
            name[..length].copy_from_slice(&own[..length]);
        }
        Label(name)
    }

    pub(super) fn set(name: &Label) {
        if let Ok(name) = CStr::from_bytes_until_nul(&name.0) {
            // Without the name the sample has no label, and that is all.
            let _ = rustix::thread::set_name(name);
        }
    }
}

/// Elsewhere samples have no labels.
#[cfg(not(target_os = "linux"))]
mod thread_name {
    use super::{LENGTH, Label};

    pub(super) const fn get() -> Label {
        Label([0; LENGTH])
    }

    pub(super) const fn set(_: &Label) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(endpoint: &str, span: Option<SpanId>) -> Label {
        Label::encode(index_of(endpoint).unwrap(), span)
    }

    fn name(label: Label) -> String {
        String::from_utf8(label.0.into_iter().take_while(|byte| *byte != 0).collect()).unwrap()
    }

    #[test]
    fn a_label_is_a_name_that_says_endpoint_and_span() {
        for span in [None, Some(SpanId::from_bytes([0xff; 8])), Some(SpanId::from_bytes([1; 8]))] {
            let name = name(label("/v1/orders/{id}", span));
            assert_eq!(Label::decode(&name), Some(("/v1/orders/{id}".to_owned(), span)), "{name}");
        }
        for other in ["", "~", "tokio-rt-worker", "~zz?", "~AA?????"] {
            assert_eq!(Label::decode(other), None, "{other}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_thread_has_the_name_of_whom_it_works_for_now_and_its_own_again_after_it() {
        let thread = || name(thread_name::get());
        let own = thread();
        let (first, second) = (label("/first", None), label("/second", None));
        let work = async |label: Label| {
            for _ in 0..3 {
                assert_eq!((thread(), Label::current()), (name(label), Some(label)));
                tokio::task::yield_now().await;
            }
            let inner = second.enter();
            assert_eq!(thread(), name(second));
            drop(inner);
            assert_eq!(thread(), name(label));
        };
        let idle = async {
            for _ in 0..3 {
                assert_eq!((thread(), Label::current()), (own.clone(), None));
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(first.during(work(first)), idle, second.during(work(second)));
        assert_eq!((thread(), Label::current()), (own.clone(), None));
    }
}
