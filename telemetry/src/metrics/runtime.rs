use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{CounterVec, Error, IntGaugeVec, Registry};
use tokio::runtime::Handle;

use super::define::{amounts, gauges};

/// The async runtimes of the process: one of the process itself, and one for each thread that serves requests.
#[derive(Clone, Debug)]
pub struct RuntimeMetrics {
    watched: Arc<Mutex<Vec<(&'static str, Handle)>>>,
    workers: IntGaugeVec,
    tasks: IntGaugeVec,
    queue: IntGaugeVec,
    busy: CounterVec,
}

impl RuntimeMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let labels = &["runtime"];
        Ok(Self {
            watched: Arc::default(),
            workers: gauges(registry, "runtime_workers", "Threads of the async runtime.", labels)?,
            tasks: gauges(registry, "runtime_tasks", "Tasks that are not finished yet.", labels)?,
            queue: gauges(
                registry,
                "runtime_queue_depth",
                "Tasks that are ready to run and wait for a thread.",
                labels,
            )?,
            busy: amounts(
                registry,
                "runtime_busy_seconds_total",
                "Time that the runtime's threads spent running tasks, in seconds.",
                labels,
            )?,
        })
    }

    /// Measures the runtime of the caller from now on; runtimes of the same name are added up.
    pub fn watch(&self, name: &'static str) {
        if let Ok(handle) = Handle::try_current() {
            self.watched.lock().unwrap_or_else(PoisonError::into_inner).push((name, handle));
        }
    }

    /// Brings the metrics up to date.
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
            self.workers.with_label_values(&[name]).set(sum(|runtime| runtime.num_workers()));
            self.tasks.with_label_values(&[name]).set(sum(|runtime| runtime.num_alive_tasks()));
            self.queue.with_label_values(&[name]).set(sum(|runtime| runtime.global_queue_depth()));
            let busy = runtimes().flat_map(|runtime| {
                (0..runtime.num_workers()).map(move |worker| runtime.worker_total_busy_duration(worker))
            });
            let counter = self.busy.with_label_values(&[name]);
            let more = busy.map(|busy| busy.as_secs_f64()).sum::<f64>() - counter.get();
            counter.inc_by(more.max(0.0));
        }
    }
}
