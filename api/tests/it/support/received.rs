//! An OTLP receiver that keeps everything as text.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_opentelemetry_collector::FakeCollectorServer;

/// Everything that an OTLP receiver got, as text.
#[derive(Clone, Default)]
pub(crate) struct Received(Arc<Mutex<Vec<String>>>);

impl Received {
    /// Starts a receiver. Returns its address too.
    pub(crate) async fn start() -> (Self, String) {
        let mut server = FakeCollectorServer::start().await.unwrap();
        let (received, endpoint) = (Self::default(), server.endpoint());
        let to = received.clone();
        // The receiver blocks when its queue is full.
        tokio::spawn(async move {
            loop {
                let spans = server.exported_spans(1, Duration::from_millis(20)).await;
                let lines = server.exported_logs(1, Duration::from_millis(20)).await;
                let mut all = to.0.lock().unwrap();
                all.extend(spans.iter().map(|span| format!("span {span:?}")));
                all.extend(lines.iter().map(|line| format!("line {line:?}")));
            }
        });
        (received, endpoint)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}
