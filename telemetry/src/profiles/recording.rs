//! Recordings on demand: a profile of the next seconds, as a flame graph or for pprof.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use tokio::sync::oneshot;

use super::sampler::{Purpose, SamplerError, Subscription};

/// The format of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A flame graph (SVG): the endpoints at the bottom, and above each the functions.
    Flamegraph,
    /// A gzipped protobuf message, for `go tool pprof` and others.
    Pprof,
}

/// A recording failed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another recording is in progress; there can be one at a time.
    #[error("another recording is in progress")]
    Busy,
    /// No sample was taken, because nothing used the CPU.
    #[error("no sample was taken")]
    NoSamples,
    /// Samples cannot be taken, or the recording cannot be encoded.
    #[error("the recording failed: {0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// Records a CPU profile for this long: of one endpoint, named by its route pattern, or of the whole process. Dropping the
/// future ends the recording at once.
///
/// # Errors
/// When another recording is in progress, no sample was taken, or the sampler fails.
pub async fn record(
    length: Duration,
    format: Format,
    endpoint: Option<String>,
) -> Result<Vec<u8>, RecordError> {
    // Dropped with this future, which ends the recording.
    let (_running, cancelled) = channel::<()>();
    let (done, recorded) = oneshot::channel();
    // A thread of its own, as it blocks.
    let thread = thread::Builder::new().name("recording".to_owned());
    let recording = thread.spawn(move || {
        if let Some(result) = record_here(length, format, endpoint.as_deref(), &cancelled).transpose() {
            // The future may have been dropped by now.
            let _ = done.send(result);
        }
    });
    recording.map_err(|error| RecordError::Failed(error.into()))?;
    recorded.await.map_err(|error| RecordError::Failed(error.into()))?
}

/// `None` if the recording was cancelled.
fn record_here(
    length: Duration,
    format: Format,
    endpoint: Option<&str>,
    cancelled: &Receiver<()>,
) -> Result<Option<Vec<u8>>, RecordError> {
    let subscription = Subscription::start(Purpose::OnDemand).map_err(|error| match error {
        SamplerError::Busy => RecordError::Busy,
        other => RecordError::Failed(other.into()),
    })?;
    let begun = SystemTime::now();
    if cancelled.recv_timeout(length) != Err(RecvTimeoutError::Timeout) {
        return Ok(None);
    }
    let mut stacks = subscription.take();
    drop(subscription);
    if let Some(endpoint) = endpoint {
        stacks.retain_endpoint(endpoint);
    }
    match format {
        Format::Flamegraph => flamegraph(&stacks.folded()),
        Format::Pprof => gzip(&stacks.pprof(begun, length).encode_to_vec())
            .map_err(|error| RecordError::Failed(error.into())),
    }
    .map(Some)
}

/// Frames of a flame graph that take less of its width, in percent, are left out: they are about as narrow as a pixel, and most of
/// its size.
const MIN_WIDTH: f64 = 0.1;

fn flamegraph(folded: &[String]) -> Result<Vec<u8>, RecordError> {
    if folded.is_empty() {
        return Err(RecordError::NoSamples);
    }
    let mut options = inferno::flamegraph::Options::default();
    options.title = "CPU time".to_owned();
    options.min_width = MIN_WIDTH;
    "samples".clone_into(&mut options.count_name);
    let mut svg = Vec::new();
    let lines = folded.iter().map(String::as_str);
    inferno::flamegraph::from_lines(&mut options, lines, &mut svg)
        .map_err(|error| RecordError::Failed(error.into()))?;
    Ok(svg)
}

/// Compresses fast rather than small.
pub(super) fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}
