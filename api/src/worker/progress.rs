//! The progress of the jobs: a job that hangs, or whose rounds fail again and again, fails the readiness check `worker`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A background job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Delivers the messages of the outbox.
    OutboxRelay,
    /// Settles open payments.
    Reconciler,
    /// Deletes expired rows.
    Housekeeping,
}

impl Job {
    const ALL: [Self; 3] = [Self::OutboxRelay, Self::Reconciler, Self::Housekeeping];

    /// The name in telemetry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutboxRelay => "outbox_relay",
            Self::Reconciler => "reconciler",
            Self::Housekeeping => "housekeeping",
        }
    }

    /// The result of the health check when the job is stalled.
    #[must_use]
    pub const fn stalled(self) -> &'static str {
        match self {
            Self::OutboxRelay => "error: outbox_relay makes no progress",
            Self::Reconciler => "error: reconciler makes no progress",
            Self::Housekeeping => "error: housekeeping makes no progress",
        }
    }
}

/// When each job last completed a round. Clones share it.
#[derive(Clone, Debug)]
pub struct Progress(Arc<[JobProgress; 3]>);

#[derive(Debug)]
struct JobProgress {
    job: Job,
    /// The time without a completed round after which the job is stalled.
    limit: Duration,
    /// The last completed round, or the start.
    last: Mutex<Instant>,
}

impl Progress {
    /// The progress of jobs that start now, with the limit of each.
    pub(super) fn new(limit: impl Fn(Job) -> Duration) -> Self {
        let last = Instant::now();
        Self(Arc::new(Job::ALL.map(|job| JobProgress { job, limit: limit(job), last: last.into() })))
    }

    /// Records that a job has completed a round.
    pub(super) fn completed(&self, job: Job) {
        for progress in self.0.iter().filter(|progress| progress.job == job) {
            *progress.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// The time since each job last completed a round.
    pub fn ages(&self) -> impl Iterator<Item = (Job, Duration)> {
        self.0.iter().map(|progress| (progress.job, progress.age()))
    }

    /// The first job that has completed no round for too long.
    #[must_use]
    pub fn stalled(&self) -> Option<Job> {
        self.0.iter().find(|progress| progress.age() > progress.limit).map(|progress| progress.job)
    }
}

impl JobProgress {
    fn age(&self) -> Duration {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_without_completed_rounds_is_stalled_until_the_next_one() {
        let limit = |job| Duration::from_secs(if job == Job::Housekeeping { 600 } else { 60 });
        let progress = Progress::new(limit);
        advance(Duration::from_secs(60)).await;
        assert_eq!(progress.stalled(), None);
        progress.completed(Job::OutboxRelay);
        advance(Duration::from_secs(1)).await;
        assert_eq!(progress.stalled(), Some(Job::Reconciler));
        progress.completed(Job::Reconciler);
        assert_eq!(progress.stalled(), None);
        let ages: Vec<_> = progress.ages().map(|(job, age)| (job.as_str(), age.as_secs())).collect();
        assert_eq!(ages, [("outbox_relay", 1), ("reconciler", 0), ("housekeeping", 61)]);
    }
}
