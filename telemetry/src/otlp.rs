//! The OTLP receiver, and the queues in front of it: bounded; what does not fit or is not accepted is dropped and counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};
use opentelemetry_otlp::{WithExportConfig, WithTonicConfig};
use url::Url;

use crate::signals::SignalSettings;

/// Where spans and log records are sent, and how the receiver is verified.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    endpoint: Url,
    /// `None` without TLS.
    tls: Option<ClientTlsConfig>,
}

impl Receiver {
    /// The receiver of these settings; `None` if they name none.
    pub(crate) fn new(settings: &SignalSettings) -> Option<Self> {
        let endpoint = settings.otlp_endpoint.clone()?;
        let tls = (endpoint.scheme() == "https").then(|| match &settings.otlp_certificates {
            Some(trusted) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(trusted.pem())),
            None => ClientTlsConfig::new().with_native_roots(),
        });
        Some(Self { endpoint, tls })
    }

    /// An exporter that sends to this receiver.
    pub(crate) fn configure<B: WithExportConfig + WithTonicConfig>(&self, exporter: B) -> B {
        let exporter = exporter.with_endpoint(self.endpoint.as_str());
        match &self.tls {
            Some(tls) => exporter.with_tls_config(tls.clone()),
            None => exporter,
        }
    }
}

/// How many spans, or log records, a queue holds.
pub(crate) const CAPACITY: usize = 8192;

/// Spans on their way out. Telemetry is one for the whole process, and so is its queue.
pub(crate) static SPANS: Queue = Queue::new();
/// Log records on their way out over OTLP.
pub(crate) static LOG_RECORDS: Queue = Queue::new();

/// The number of items in a queue, and of those that were dropped.
#[derive(Debug)]
pub(crate) struct Queue {
    queued: AtomicUsize,
    dropped: AtomicU64,
}

impl Queue {
    const fn new() -> Self {
        Self { queued: AtomicUsize::new(0), dropped: AtomicU64::new(0) }
    }

    /// Takes a place in the queue; `false` if it is full, and the item counts as dropped.
    pub(crate) fn enter(&self) -> bool {
        let fits = self.queued.fetch_add(1, Ordering::Relaxed) < CAPACITY;
        if !fits {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }

    /// Gives back the places of a batch. Unless it was sent, its items count as dropped.
    pub(crate) fn leave(&self, count: usize, sent: bool) {
        self.queued.fetch_sub(count, Ordering::Relaxed);
        if !sent {
            self.dropped.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Items that were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_and_counts() {
        let queue = Queue::new();
        assert_eq!((0..CAPACITY + 3).filter(|_| queue.enter()).count(), CAPACITY);
        assert_eq!(queue.dropped(), 3);
        queue.leave(CAPACITY, false);
        assert_eq!(queue.dropped(), 3 + CAPACITY as u64);
        assert!(queue.enter());
    }
}
