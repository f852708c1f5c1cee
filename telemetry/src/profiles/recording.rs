use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use tokio::sync::oneshot;

use super::sampler::{Purpose, SamplerError, Subscription};

/// What a recording looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A picture (SVG) in which wide is expensive: the endpoints, and above each the functions.
    Flamegraph,
    /// For `go tool pprof` and others: a gzipped protobuf message.
    Pprof,
}

/// There is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// One at a time.
    #[error("another recording is going on")]
    Busy,
    /// No sample was taken: nothing used the CPU.
    #[error("no sample was taken")]
    NoSamples,
    /// Samples cannot be taken, or the recording cannot be written.
    #[error("the recording failed: {0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// Records what the whole process does for so long. It ends at once if the future is dropped.
///
/// # Errors
/// When another recording is going on, or there is nothing to show.
pub async fn record(length: Duration, format: Format) -> Result<Vec<u8>, RecordError> {
    // Dropped with this future, and then the thread knows.
    let (_wanted, unwanted) = channel::<()>();
    let (done, recorded) = oneshot::channel();
    // A thread of its own: it waits, and then computes.
    let thread = thread::Builder::new().name("recording".to_owned());
    let recording = thread.spawn(move || {
        if let Some(result) = record_here(length, format, &unwanted).transpose() {
            // The future may be gone by now.
            let _ = done.send(result);
        }
    });
    recording.map_err(|error| RecordError::Failed(error.into()))?;
    recorded.await.map_err(|error| RecordError::Failed(error.into()))?
}

/// `None` if nobody wants it any more.
fn record_here(
    length: Duration,
    format: Format,
    unwanted: &Receiver<()>,
) -> Result<Option<Vec<u8>>, RecordError> {
    let subscription = Subscription::start(Purpose::OnDemand).map_err(|error| match error {
        SamplerError::Busy => RecordError::Busy,
        other => RecordError::Failed(other.into()),
    })?;
    let begun = SystemTime::now();
    if unwanted.recv_timeout(length) != Err(RecvTimeoutError::Timeout) {
        return Ok(None);
    }
    let stacks = subscription.take();
    drop(subscription);
    match format {
        Format::Flamegraph => flamegraph(&stacks.folded()),
        Format::Pprof => gzip(&stacks.pprof(begun, length).encode_to_vec())
            .map_err(|error| RecordError::Failed(error.into())),
    }
    .map(Some)
}

fn flamegraph(folded: &[String]) -> Result<Vec<u8>, RecordError> {
    if folded.is_empty() {
        return Err(RecordError::NoSamples);
    }
    let mut options = inferno::flamegraph::Options::default();
    options.title = "Glasshouse: CPU time".to_owned();
    "samples".clone_into(&mut options.count_name);
    let mut svg = Vec::new();
    let lines = folded.iter().map(String::as_str);
    inferno::flamegraph::from_lines(&mut options, lines, &mut svg)
        .map_err(|error| RecordError::Failed(error.into()))?;
    Ok(svg)
}

/// Compresses in a hurry.
pub(super) fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}
