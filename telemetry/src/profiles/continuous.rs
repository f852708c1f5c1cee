//! Continuous profiles, which are pushed to Pyroscope.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};
use std::{io, thread};

use prost::Message;
use pyroscope::encode::r#gen::push::{PushRequest, RawProfileSeries, RawSample};
use pyroscope::encode::r#gen::types::LabelPair;
use reqwest::Client;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use url::Url;
use uuid::Uuid;

use super::recording::gzip;
use super::sampler::{Purpose, Subscription};
use crate::events::profiles::{ProfilesAcceptedAgain, ProfilesFailed, ProfilesNotAccepted};

/// The time that one profile covers.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long Pyroscope may take to accept a profile. Shorter than the interval, so that at most one is queued.
const PUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for the last profile, while the process stops.
const LAST_PUSH_TIMEOUT: Duration = Duration::from_secs(2);

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Profiles that the receiver has not accepted so far.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The receiver of profiles, and the labels of this process.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    /// The Pyroscope server, such as `http://pyroscope:4040`.
    pub(crate) address: Url,
    /// The labels of all profiles of this process.
    pub(crate) labels: BTreeMap<String, String>,
    /// Sends the profiles.
    pub(crate) client: Client,
}

/// The client that sends profiles.
///
/// # Errors
/// When it cannot be made, because there are no certificate authorities.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    Client::builder().timeout(PUSH_TIMEOUT).build()
}

/// The thread that takes and sends profiles.
#[derive(Debug)]
pub(crate) struct Continuous {
    stop: oneshot::Sender<()>,
    /// Closed when the last profile was sent.
    ended: mpsc::Receiver<()>,
}

/// The same thread while it sends its last profile.
#[derive(Debug)]
pub(crate) struct Stopping(mpsc::Receiver<()>);

impl Continuous {
    /// Starts the thread. Later failures are logged.
    pub(crate) fn start(receiver: Receiver) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ending, ended) = mpsc::channel();
        let handle = Handle::current();
        // Reading samples blocks for a while, so it is not done on the async threads.
        thread::Builder::new().name("profiles".to_owned()).spawn(move || {
            let _ending: mpsc::Sender<()> = ending;
            if let Err(error) = handle.block_on(run(receiver, stopped)) {
                ProfilesFailed { error: &*error }.emit();
            }
        })?;
        Ok(Self { stop, ended })
    }

    /// Begins to send the last profile.
    pub(crate) fn stop(self) -> Stopping {
        let Self { stop, ended } = self;
        // The thread may have ended by itself.
        let _ = stop.send(());
        Stopping(ended)
    }
}

impl Stopping {
    /// Waits until the last profile was sent, for at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let _ = self.0.recv_timeout(timeout);
    }
}

/// Profiles by kind, in the format of pprof.
type Profiles = Vec<(&'static str, Vec<u8>)>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn run(receiver: Receiver, mut stopped: oneshot::Receiver<()>) -> Result<(), Failure> {
    let samples = Subscription::start(Purpose::Continuous)?;
    #[cfg(feature = "heap-profiling")]
    let mut heap = super::heap::Heap::start();
    let mut is_accepted = true;
    let mut stopping = false;
    while !stopping {
        let begun = SystemTime::now();
        stopping = tokio::time::timeout(INTERVAL, &mut stopped).await.is_ok();
        let took = begun.elapsed().unwrap_or(INTERVAL);
        let cpu = samples.take().pprof(begun, took).encode_to_vec();
        let profiles = vec![("process_cpu", cpu)];
        #[cfg(feature = "heap-profiling")]
        let profiles = with_heap(profiles, heap.as_mut());
        let count = profiles.len() as u64;
        let push = push(&receiver, profiles);
        let result = if stopping {
            tokio::time::timeout(LAST_PUSH_TIMEOUT, push).await.unwrap_or_else(|elapsed| Err(elapsed.into()))
        } else {
            tokio::select! {
                result = push => result,
                _ = &mut stopped => {
                    stopping = true;
                    Err("the process stops".into())
                }
            }
        };
        if result.is_err() {
            DROPPED.fetch_add(count, Ordering::Relaxed);
        }
        // Logged when it changes, and not with every profile.
        match (&result, is_accepted) {
            (Err(error), true) => ProfilesNotAccepted { error: &**error }.emit(),
            (Ok(()), false) => ProfilesAcceptedAgain {}.emit(),
            _ => {}
        }
        is_accepted = result.is_ok();
    }
    Ok(())
}

#[cfg(feature = "heap-profiling")]
fn with_heap(mut profiles: Profiles, heap: Option<&mut super::heap::Heap>) -> Profiles {
    profiles.extend(heap.and_then(super::heap::Heap::profile).map(|profile| ("memory", profile)));
    profiles
}

async fn push(receiver: &Receiver, profiles: Profiles) -> Result<(), Failure> {
    let series = profiles.into_iter().map(|(kind, raw_profile)| {
        let label = |name: &str, value: &str| LabelPair { name: name.to_owned(), value: value.to_owned() };
        let labels = receiver.labels.iter().map(|(name, value)| label(name, value));
        let id = Uuid::now_v7().to_string();
        RawProfileSeries {
            labels: std::iter::once(label("__name__", kind)).chain(labels).collect(),
            samples: vec![RawSample { raw_profile, id }],
        }
    });
    let body = gzip(&PushRequest { series: series.collect() }.encode_to_vec())?;
    let mut url = receiver.address.clone();
    url.path_segments_mut()
        .map_err(|()| "the address has no path")?
        .pop_if_empty()
        .extend(["push.v1.PusherService", "Push"]);
    let request =
        receiver.client.post(url).header(CONTENT_TYPE, "application/proto").header(CONTENT_ENCODING, "gzip");
    request.body(body).send().await?.error_for_status()?;
    Ok(())
}
