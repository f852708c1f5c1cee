//! The async runtimes of the process.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::Error;
use tokio::runtime::Handle;

use super::{CounterVec, IntGaugeVec, Registrar};

/// The async runtimes of the process: its own, and one for each thread that serves requests.
#[derive(Clone, Debug)]
pub struct RuntimeMetrics {
    watched: Arc<Mutex<Vec<(&'static str, Handle)>>>,
    workers: IntGaugeVec<1>,
    tasks: IntGaugeVec<1>,
    queue: IntGaugeVec<1>,
    busy: CounterVec<1>,
}

impl RuntimeMetrics {
    pub(super) fn register(registrar: &mut Registrar) -> Result<Self, Error> {
        let labels = ["runtime"];
        Ok(Self {
            watched: Arc::default(),
            workers: registrar.int_gauge_vec(
                "runtime_workers",
                "Worker threads of the async runtimes, by runtime.",
                labels,
            )?,
            tasks: registrar.int_gauge_vec("runtime_tasks", "Unfinished tasks.", labels)?,
            queue: registrar.int_gauge_vec(
                "runtime_queue_depth",
                "Run-queue depth: tasks that are ready to run and wait for a thread.",
                labels,
            )?,
            busy: registrar.counter_vec(
                "runtime_busy_seconds_total",
                "Time that worker threads spent running tasks, in seconds.",
                labels,
            )?,
        })
    }

    /// Measures the caller's runtime from now on. Runtimes of the same name are added up.
    pub fn watch(&self, name: &'static str) {
        if let Ok(handle) = Handle::try_current() {
            self.watched.lock().unwrap_or_else(PoisonError::into_inner).push((name, handle));
        }
    }

    /// Updates the metrics.
    pub(super) fn measure(&self) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = watched.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let runtimes =
                || watched.iter().filter(|(of, _)| *of == name).map(|(_, handle)| handle.metrics());
            let sum = |count: fn(&tokio::runtime::RuntimeMetrics) -> usize| {
                i64::try_from(runtimes().map(|runtime| count(&runtime)).sum::<usize>()).unwrap_or(i64::MAX)
            };
            self.workers.with([name]).set(sum(|runtime| runtime.num_workers()));
            self.tasks.with([name]).set(sum(|runtime| runtime.num_alive_tasks()));
            self.queue.with([name]).set(sum(|runtime| runtime.global_queue_depth()));
            let busy = runtimes().flat_map(|runtime| {
                (0..runtime.num_workers()).map(move |worker| runtime.worker_total_busy_duration(worker))
            });
            let counter = self.busy.with([name]);
            let more = busy.map(|busy| busy.as_secs_f64()).sum::<f64>() - counter.get();
            counter.inc_by(more.max(0.0));
        }
    }
}
