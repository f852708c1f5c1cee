//! Looks a hundred times per second of CPU time at what is being done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, mem, thread};

use pyroscope::backend::{Backend, BackendConfig, Pprof, PprofConfig, ReportData};

use super::stacks::Stacks;

const HERTZ: u32 = 100;
/// How much CPU time a sample stands for.
pub(super) const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / HERTZ as u64);

/// How often samples are read. Until then, equal stacks of one thread count as one, under the label of the
/// first of them: so not for long.
const READ_EVERY: Duration = Duration::from_millis(100);

/// The sampler of this process, while somebody wants samples.
static SAMPLER: Mutex<Option<Sampler>> = Mutex::new(None);
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Who wants samples. Each of them gets all samples.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Continuous,
    OnDemand,
}

/// There are no samples for you.
#[derive(Debug, thiserror::Error)]
pub(super) enum SamplerError {
    #[error("somebody is taking samples for the same purpose")]
    Busy,
    #[error("samples cannot be taken: {0}")]
    Failed(#[from] pyroscope::PyroscopeError),
    #[error("no thread can be started: {0}")]
    NoThread(#[from] io::Error),
}

struct Sampler {
    backend: Pprof<'static>,
    /// By purpose.
    wanted: [Option<Stacks>; 2],
    /// Ends the reading thread when it is dropped.
    _reading: Sender<()>,
}

/// Whether samples are being taken.
pub(super) fn is_running() -> bool {
    RUNNING.load(Ordering::Relaxed)
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
        RUNNING.store(true, Ordering::Relaxed);
        Ok(Self { backend, wanted: [None, None], _reading: reading })
    }

    /// Hands the samples since the last time on to those who want them.
    fn read(&mut self) {
        // A sample that is lost is one of many.
        let Ok(batch) = self.backend.report() else { return };
        let ReportData::Reports(reports) = batch.data else { return };
        for (stack, samples) in reports.iter().flat_map(|report| &report.data) {
            for stacks in self.wanted.iter_mut().flatten() {
                stacks.add(stack, *samples);
            }
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::Relaxed);
    }
}

fn sampler() -> MutexGuard<'static, Option<Sampler>> {
    SAMPLER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Samples for one purpose, until it is dropped. Its methods may take a while: use it away from the async
/// threads.
#[derive(Debug)]
pub(super) struct Subscription(Purpose);

impl Subscription {
    /// From now on.
    pub(super) fn start(purpose: Purpose) -> Result<Self, SamplerError> {
        let mut running = sampler();
        let mut sampler = match running.take() {
            Some(sampler) => sampler,
            None => Sampler::start()?,
        };
        sampler.read();
        let wanted = &mut sampler.wanted[purpose as usize];
        let is_free = wanted.is_none();
        wanted.get_or_insert_default();
        *running = Some(sampler);
        if is_free { Ok(Self(purpose)) } else { Err(SamplerError::Busy) }
    }

    /// The samples since the last time.
    pub(super) fn take(&self) -> Stacks {
        let mut running = sampler();
        let Some(sampler) = running.as_mut() else { return Stacks::default() };
        sampler.read();
        sampler.wanted[self.0 as usize].as_mut().map(mem::take).unwrap_or_default()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut running = sampler();
        let Some(sampler) = running.as_mut() else { return };
        sampler.wanted[self.0 as usize] = None;
        if sampler.wanted.iter().all(Option::is_none) {
            *running = None;
        }
    }
}
