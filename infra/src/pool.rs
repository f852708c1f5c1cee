//! A pool of connections that stay with the runtime that opened them.
//!
//! Each thread of the HTTP servers has a runtime of its own. The runtime on which a connection was opened watches its socket, so a
//! response to a request of another thread wakes two threads. A connection that the current runtime opened therefore comes first,
//! then a new one, and only when there are as many as there may be, one of another runtime. Otherwise it is a pool as those of
//! deadpool are, for the same managers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use deadpool::managed::{Manager, Metrics, PoolError};
use tokio::runtime::{Handle, Id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A pool. Clones share the connections.
pub(crate) struct Pool<M: Manager>(Arc<Shared<M>>);

/// A pool that may be gone.
pub(crate) struct WeakPool<M: Manager>(Weak<Shared<M>>);

struct Shared<M: Manager> {
    manager: M,
    /// The maximum number of connections.
    max: usize,
    /// One for each connection that may be in use. Those who wait for a connection wait here, the first one first.
    permits: Arc<Semaphore>,
    state: Mutex<State<M::Type>>,
}

struct State<C> {
    /// The one that was used last is the last, and the next to be used: those that are not needed stay idle, and can be closed.
    idle: Vec<Entry<C>>,
    in_use: usize,
}

/// An open connection.
struct Entry<C> {
    connection: C,
    metrics: Metrics,
    /// The runtime that opened it.
    runtime: Option<Id>,
}

/// A connection that is in use. Unless it is given back, it is closed when this is dropped.
pub(crate) struct InUse<M: Manager> {
    entry: Entry<M::Type>,
    place: Place<M>,
}

/// One of the connections of a pool, which is in use or being opened.
struct Place<M: Manager> {
    pool: Arc<Shared<M>>,
    _permit: OwnedSemaphorePermit,
}

/// The numbers of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Idle or in use.
    pub(crate) open: usize,
    pub(crate) idle: usize,
    /// The maximum number of open ones.
    pub(crate) max: usize,
}

impl<M: Manager> Pool<M> {
    /// A pool of at most `max` connections, which it opens when they are needed.
    pub(crate) fn new(manager: M, max: usize) -> Self {
        let (permits, state) = (Arc::new(Semaphore::new(max)), State { idle: Vec::new(), in_use: 0 });
        Self(Arc::new(Shared { manager, max, permits, state: Mutex::new(state) }))
    }

    /// Takes a connection that the manager accepts, or opens one.
    ///
    /// # Errors
    /// When the pool is closed, or no connection can be opened.
    pub(crate) async fn get(&self) -> Result<InUse<M>, PoolError<M::Error>> {
        let Self(pool) = self;
        let permit = pool.permits.clone().acquire_owned().await.map_err(|_closed| PoolError::Closed)?;
        let runtime = Handle::try_current().ok().map(|runtime| runtime.id());
        let place = Place::new(pool.clone(), permit);
        while let Some(mut entry) = pool.idle_for(runtime) {
            if pool.manager.recycle(&mut entry.connection, &entry.metrics).await.is_ok() {
                entry.metrics.recycled = Some(Instant::now());
                entry.metrics.recycle_count += 1;
                return Ok(InUse { entry, place });
            }
        }
        let connection = pool.manager.create().await.map_err(PoolError::Backend)?;
        Ok(InUse { entry: Entry { connection, metrics: Metrics::default(), runtime }, place })
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let State { idle, in_use } = &*self.0.state();
        Sizes { open: idle.len() + in_use, idle: idle.len(), max: self.0.max }
    }

    /// Removes the idle connections that are not to be kept, and returns them.
    pub(crate) fn remove_idle(&self, is_kept: impl Fn(&Metrics) -> bool) -> Vec<M::Type> {
        let mut state = self.0.state();
        let idle = std::mem::take(&mut state.idle).into_iter();
        let (kept, removed): (_, Vec<_>) = idle.partition(|entry| is_kept(&entry.metrics));
        state.idle = kept;
        removed.into_iter().map(|entry| entry.connection).collect()
    }

    /// Gives out no connection any more, and keeps none that is given back.
    pub(crate) fn close(&self) {
        self.0.permits.close();
        drop(self.remove_idle(|_| false));
    }

    pub(crate) fn downgrade(&self) -> WeakPool<M> {
        WeakPool(Arc::downgrade(&self.0))
    }
}

impl<M: Manager> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Manager> WeakPool<M> {
    /// The pool, unless it is gone.
    pub(crate) fn upgrade(&self) -> Option<Pool<M>> {
        self.0.upgrade().map(Pool)
    }
}

impl<M: Manager> Shared<M> {
    fn state(&self) -> MutexGuard<'_, State<M::Type>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the idle connection that a place is for; none if it is for a new one.
    fn idle_for(&self, runtime: Option<Id>) -> Option<Entry<M::Type>> {
        let mut state = self.state();
        if let Some(own) = state.idle.iter().rposition(|entry| entry.runtime == runtime) {
            return Some(state.idle.remove(own));
        }
        // The place counts as in use.
        if state.idle.len() + state.in_use > self.max { state.idle.pop() } else { None }
    }
}

impl<M: Manager> InUse<M> {
    pub(crate) const fn connection(&mut self) -> &mut M::Type {
        &mut self.entry.connection
    }

    /// Gives the connection back to the pool.
    pub(crate) fn give_back(self) {
        let Self { entry, place } = self;
        let mut state = place.pool.state();
        if !place.pool.permits.is_closed() {
            state.idle.push(entry);
        }
        // The place takes the lock again when it is dropped.
        drop(state);
    }
}

impl<M: Manager> Place<M> {
    fn new(pool: Arc<Shared<M>>, permit: OwnedSemaphorePermit) -> Self {
        pool.state().in_use += 1;
        Self { pool, _permit: permit }
    }
}

impl<M: Manager> Drop for Place<M> {
    fn drop(&mut self) {
        self.pool.state().in_use -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    use deadpool::managed::{RecycleError, RecycleResult};

    use super::*;

    /// Numbers its connections, and accepts those that are even.
    #[derive(Default)]
    struct Numbers(AtomicUsize);

    impl Manager for Numbers {
        type Type = usize;
        type Error = ();

        async fn create(&self) -> Result<usize, ()> {
            Ok(self.0.fetch_add(1, Ordering::Relaxed))
        }

        async fn recycle(&self, number: &mut usize, _metrics: &Metrics) -> RecycleResult<()> {
            if number.is_multiple_of(2) { Ok(()) } else { Err(RecycleError::message("odd")) }
        }
    }

    fn pool(max: usize) -> Pool<Numbers> {
        Pool::new(Numbers::default(), max)
    }

    /// Takes a connection on a runtime of its own, gives it back, and returns its number.
    fn use_on(runtime: &tokio::runtime::Runtime, pool: &Pool<Numbers>) -> usize {
        runtime.block_on(async {
            let mut connection = pool.get().await.unwrap();
            let number = *connection.connection();
            connection.give_back();
            number
        })
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn a_runtime_gets_the_connection_that_it_opened() {
        let (pool, first, second, third) = (pool(3), runtime(), runtime(), runtime());
        assert_eq!(use_on(&first, &pool), 0);
        // The number 1 is not accepted again.
        assert_eq!([use_on(&second, &pool), use_on(&second, &pool)], [1, 2]);
        assert_eq!([use_on(&first, &pool), use_on(&second, &pool), use_on(&first, &pool)], [0, 2, 0]);
        assert_eq!(use_on(&third, &pool), 3);
        assert_eq!(pool.sizes(), Sizes { open: 3, idle: 3, max: 3 });
    }

    #[test]
    fn a_full_pool_gives_out_a_connection_of_another_runtime() {
        let (pool, first, second) = (pool(1), runtime(), runtime());
        assert_eq!([use_on(&first, &pool), use_on(&second, &pool), use_on(&first, &pool)], [0, 0, 0]);
        assert_eq!(pool.sizes(), Sizes { open: 1, idle: 1, max: 1 });
    }

    #[tokio::test]
    async fn there_are_never_more_connections_than_the_maximum() {
        let pool = pool(2);
        let (one, other) = (pool.get().await.unwrap(), pool.get().await.unwrap());
        let mut waiting = pin!(pool.get());
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert_eq!(pool.sizes(), Sizes { open: 2, idle: 0, max: 2 });
        one.give_back();
        assert_eq!(*waiting.await.unwrap().connection(), 0);
        drop(other);
        assert_eq!(pool.sizes(), Sizes { open: 0, idle: 0, max: 2 }, "what is not given back is closed");
    }

    #[tokio::test]
    async fn a_closed_pool_keeps_nothing() {
        let pool = pool(2);
        let (one, other) = (pool.get().await.unwrap(), pool.get().await.unwrap());
        one.give_back();
        pool.close();
        assert_eq!(pool.sizes().open, 1, "the one in use");
        other.give_back();
        assert_eq!(pool.sizes().open, 0);
        assert!(matches!(pool.get().await.map(drop), Err(PoolError::Closed)));
    }
}
