//! Password hashing with Argon2id, in a queue of its own: each hash occupies a core and much memory by design, and
//! any client may request one, so the number of concurrent and of waiting ones is limited.

mod argon2id;
mod memory;
mod threads;

use std::sync::Arc;

use argon2::Argon2;
use glasshouse_domain::login::{HashingFailed, PasswordHasher, Verification};
use glasshouse_domain::values::{Password, PasswordHash};
use glasshouse_telemetry::profiles::Label;
use glasshouse_telemetry::service::metrics::AdmissionMetrics;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::memory::{Memory, MemoryPool};
use self::threads::HashingThreads;

/// The cost parameters of Argon2id, and the limits of the queue.
#[derive(Clone, Copy, Debug)]
pub struct HashingSettings {
    /// Memory in KiB. The default of the configuration, 19 MiB with 2 passes, is OWASP's recommendation.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// The maximum number of concurrent hashes. Each occupies a core and `memory_kib`.
    pub max_concurrent: usize,
    /// The maximum number of requests that wait for a hash.
    pub max_waiting: usize,
}

/// The queue of the requests that hash a password. Clones share it.
#[derive(Clone, Debug)]
pub struct HashingQueue(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    argon2: Argon2<'static>,
    /// The number of requests that the queue admits, waiting and hashing.
    size: usize,
    /// One for each request in the queue.
    places: Arc<Semaphore>,
    /// One for each concurrent hash.
    turns: Arc<Semaphore>,
    threads: HashingThreads,
    memory: MemoryPool,
    metrics: AdmissionMetrics,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests are waiting for a password hash: retry")]
pub struct QueueFull;

impl HashingQueue {
    /// A queue of hashes with these cost parameters.
    ///
    /// # Errors
    /// When the parameters are out of Argon2's range, or the threads cannot be created.
    pub fn new(settings: HashingSettings, metrics: AdmissionMetrics) -> Result<Self, HashingFailed> {
        let HashingSettings { memory_kib, passes, max_concurrent, max_waiting } = settings;
        let size = max_concurrent + max_waiting;
        Ok(Self(Arc::new(Queue {
            argon2: argon2id::with_cost(memory_kib, passes)?,
            size,
            places: Arc::new(Semaphore::new(size)),
            turns: Arc::new(Semaphore::new(max_concurrent)),
            threads: HashingThreads::new(max_concurrent).map_err(failed)?,
            memory: MemoryPool::default(),
            metrics,
        })))
    }

    /// The number of requests in the queue, waiting and hashing.
    #[must_use]
    pub fn occupied(&self) -> usize {
        self.0.size.saturating_sub(self.0.places.available_permits())
    }

    /// Takes a place in the queue. Requests take it before they use the database, so that a flood of logins does not
    /// take its connections from other requests.
    ///
    /// # Errors
    /// When the queue is full. The request is counted as shed.
    pub fn enter(&self) -> Result<Argon2Hasher, QueueFull> {
        match self.0.places.clone().try_acquire_owned() {
            Ok(permit) => Ok(Argon2Hasher(Arc::new(Place { queue: self.0.clone(), permit: Some(permit) }))),
            Err(_) => {
                self.0.metrics.shed("password_hashing");
                Err(QueueFull)
            }
        }
    }
}

/// A place in the queue, which hashes and verifies passwords one after the other.
#[derive(Debug)]
pub struct Argon2Hasher(Arc<Place>);

#[derive(Debug)]
struct Place {
    queue: Arc<Queue>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permit.take());
        let Queue { places, size, memory, .. } = &*self.queue;
        if places.available_permits() == *size {
            memory.free();
        }
    }
}

impl Argon2Hasher {
    /// Waits for a turn, and runs `work` on a thread for hashes. The place is kept until the work ends, even if the
    /// request is dropped before.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>, &mut Memory) -> Result<T, HashingFailed> + Send + 'static,
    ) -> Result<T, HashingFailed> {
        let turn = self.0.queue.turns.clone().acquire_owned().await.map_err(failed)?;
        let (place, span, label) = (self.0.clone(), tracing::Span::current(), Label::current());
        let work = move || {
            let (_turn, _label) = (turn, label.map(Label::enter));
            let Queue { argon2, memory, .. } = &*place.queue;
            // A panic on the blocking thread is reported in the span of its request.
            span.in_scope(|| memory.lend(|memory| work(argon2, memory)))
        };
        self.0.queue.threads.run(work).await.map_err(failed)?
    }
}

impl PasswordHasher for Argon2Hasher {
    async fn hash(&self, password: Password) -> Result<PasswordHash, HashingFailed> {
        self.run_blocking(move |argon2, memory| argon2id::hash(argon2, password.expose(), memory)).await
    }

    async fn verify(
        &self,
        password: SecretString,
        hash: PasswordHash,
    ) -> Result<Verification, HashingFailed> {
        self.run_blocking(move |argon2, memory| {
            argon2id::verify(argon2, password.expose_secret(), &hash, memory)
        })
        .await
    }

    async fn verify_decoy(
        &self,
        password: SecretString,
        like: Option<PasswordHash>,
    ) -> Result<(), HashingFailed> {
        self.run_blocking(move |argon2, memory| {
            argon2id::verify_decoy(argon2, password.expose_secret(), like.as_ref(), memory)
        })
        .await
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> HashingFailed {
    HashingFailed(error.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use glasshouse_telemetry::service::metrics::{Metrics, MetricsSettings};

    use super::*;

    const PASSWORD: &str = "correct horse battery";

    fn queue(max_concurrent: usize, max_waiting: usize) -> HashingQueue {
        let metrics = Metrics::new(MetricsSettings::default()).unwrap().admission;
        let settings = HashingSettings { memory_kib: 64, passes: 1, max_concurrent, max_waiting };
        HashingQueue::new(settings, metrics).unwrap()
    }

    fn password() -> Password {
        Password::parse(PASSWORD.into()).unwrap()
    }

    #[tokio::test]
    async fn a_hash_matches_only_its_password() {
        let hasher = queue(1, 0).enter().unwrap();
        let hash = hasher.hash(password()).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let verify = async |text: &str| hasher.verify(text.into(), hash.clone()).await.unwrap();
        assert_eq!(verify(PASSWORD).await, Verification::Correct);
        assert_eq!(verify("wrong horse battery").await, Verification::Wrong);
    }

    #[tokio::test]
    async fn a_full_queue_rejects_and_has_a_place_again_afterwards() {
        let queue = queue(1, 2);
        let mut places: Vec<_> = (0..3).map(|_| queue.enter().unwrap()).collect();
        assert_eq!(queue.enter().unwrap_err(), QueueFull);
        places.pop();
        let place = queue.enter().unwrap();
        assert_eq!(queue.enter().unwrap_err(), QueueFull);
        // A request that is dropped while it hashes keeps its place until the hash is done.
        let _ = tokio::time::timeout(Duration::ZERO, place.hash(password())).await;
        drop((place, places));
        while queue.0.places.available_permits() < 3 {
            tokio::task::yield_now().await;
        }
        queue.enter().unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn hashes_share_the_memory_of_as_many_as_run_at_once() {
        let queue = queue(2, 100);
        let place = queue.enter().unwrap();
        let hashes = (0..40).map(|_| {
            let hasher = queue.enter().unwrap();
            tokio::spawn(async move { hasher.hash(password()).await })
        });
        for hash in hashes.collect::<Vec<_>>() {
            hash.await.unwrap().unwrap();
        }
        let idle = queue.0.memory.idle().len();
        assert!((1..=2).contains(&idle), "{idle} for 40 hashes, of which 2 ran at once");
        drop(place);
        assert!(queue.0.memory.idle().is_empty(), "freed with the last request");
    }
}
