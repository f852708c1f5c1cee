//! The sampler of CPU time: one for the whole process, started with its first subscription and stopped with its last.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, mem, thread};

use pyroscope::backend::{Backend, BackendConfig, Pprof, PprofConfig, ReportData};

use super::label;
use super::stacks::{HERTZ, Stacks};

/// How often samples are read. Until then, equal stacks of one thread count under the label of the first of them.
const READ_EVERY: Duration = Duration::from_millis(100);

/// The sampler, while there is a subscription.
static SAMPLER: Mutex<Option<Sampler>> = Mutex::new(None);

/// The uses of samples. Each of them gets all samples.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Continuous,
    OnDemand,
}

/// Samples cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum SamplerError {
    #[error("samples are being taken for the same purpose")]
    Busy,
    #[error("samples cannot be taken: {0}")]
    Failed(#[from] pyroscope::PyroscopeError),
    #[error("no thread can be started: {0}")]
    NoThread(#[from] io::Error),
}

struct Sampler {
    backend: Pprof<'static>,
    /// The samples that were not taken yet, by purpose.
    subscribers: [Option<Stacks>; 2],
    /// Ends the reading thread when it is dropped.
    _reading: Sender<()>,
}

impl Sampler {
    fn start() -> Result<Self, SamplerError> {
        let mut backend = Pprof::new(PprofConfig { sample_rate: HERTZ }, BackendConfig::default());
        let (reading, ended) = channel();
        thread::Builder::new().name("samples".to_owned()).spawn(move || {
            while ended.recv_timeout(READ_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Some(sampler) = sampler().as_mut() {
                    sampler.read();
                }
            }
        })?;
        backend.initialize()?;
        label::enable(true);
        Ok(Self { backend, subscribers: [None, None], _reading: reading })
    }

    /// Distributes the samples since the last reading to the subscribers.
    fn read(&mut self) {
        // If the reading fails, some of many samples are missing.
        let Ok(batch) = self.backend.report() else { return };
        let ReportData::Reports(reports) = batch.data else { return };
        for (stack, samples) in reports.iter().flat_map(|report| &report.data) {
            for stacks in self.subscribers.iter_mut().flatten() {
                stacks.add(stack, *samples);
            }
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        label::enable(false);
    }
}

fn sampler() -> MutexGuard<'static, Option<Sampler>> {
    SAMPLER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A subscription to samples for one purpose, until it is dropped. Its methods block: do not call them on an async
/// thread.
#[derive(Debug)]
pub(super) struct Subscription(Purpose);

impl Subscription {
    /// Subscribes to the samples from now on.
    pub(super) fn start(purpose: Purpose) -> Result<Self, SamplerError> {
        let mut running = sampler();
        let mut sampler = match running.take() {
            Some(sampler) => sampler,
            None => Sampler::start()?,
        };
        sampler.read();
        let stacks = &mut sampler.subscribers[purpose as usize];
        let is_free = stacks.is_none();
        stacks.get_or_insert_default();
        *running = Some(sampler);
        if is_free { Ok(Self(purpose)) } else { Err(SamplerError::Busy) }
    }

    /// The samples since the previous call.
    pub(super) fn take(&self) -> Stacks {
        let mut running = sampler();
        let Some(sampler) = running.as_mut() else { return Stacks::default() };
        sampler.read();
        sampler.subscribers[self.0 as usize].as_mut().map(mem::take).unwrap_or_default()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut running = sampler();
        let Some(sampler) = running.as_mut() else { return };
        sampler.subscribers[self.0 as usize] = None;
        if sampler.subscribers.iter().all(Option::is_none) {
            *running = None;
        }
    }
}
