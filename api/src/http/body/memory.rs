//! The memory that the bodies of all requests may hold together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::inflate::DECODER_BYTES;
use crate::config::BodyLimits;

/// The bodies that are being received or processed, and the memory that they may hold together. When it is used up,
/// the body that has been arriving for the longest time gives its memory up: most bodies arrive with their heads,
/// so one that is still incomplete is that of a slow client.
#[derive(Clone, Debug)]
pub struct BodyMemory(Arc<Mutex<Bodies>>);

#[derive(Debug)]
struct Bodies {
    capacity: usize,
    used: usize,
    next_id: u64,
    held: BTreeMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    bytes: usize,
    /// Stops the reader; `None` for a body that was received completely.
    give_up: Option<oneshot::Sender<()>>,
}

/// The memory of one body. Dropping it frees the memory.
#[derive(Debug)]
pub(super) struct BodyShare {
    memory: BodyMemory,
    id: u64,
}

/// The memory is used up, and no other body can give any up.
#[derive(Debug)]
pub(super) struct NoRoom;

impl BodyMemory {
    /// Memory of `capacity` bytes.
    fn new(capacity: usize) -> Self {
        let bodies = Bodies { capacity, used: 0, next_id: 0, held: BTreeMap::new() };
        Self(Arc::new(Mutex::new(bodies)))
    }

    /// Memory for as many complete bodies as there are requests at a time, and at least for one.
    #[must_use]
    pub fn for_requests(requests: usize, limits: BodyLimits) -> Self {
        Self::new(requests.saturating_mul(limits.bytes).max(limits.bytes + DECODER_BYTES))
    }

    /// The number of requests whose bodies are being received or processed.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.lock().held.len()
    }

    /// Begins to receive a body. The second value resolves when the body has to give its memory up.
    pub(super) fn begin(&self) -> (BodyShare, oneshot::Receiver<()>) {
        let (give_up, must_give_up) = oneshot::channel();
        let mut bodies = self.lock();
        let id = bodies.next_id;
        bodies.next_id += 1;
        bodies.held.insert(id, Held { bytes: 0, give_up: Some(give_up) });
        (BodyShare { memory: self.clone(), id }, must_give_up)
    }

    fn lock(&self) -> MutexGuard<'_, Bodies> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyShare {
    /// Sets what the body holds, in bytes.
    ///
    /// # Errors
    /// When there is not enough memory, and no other incomplete body holds any.
    pub(super) fn resize(&self, bytes: usize) -> Result<(), NoRoom> {
        let mut bodies = self.memory.lock();
        let before = bodies.held.get(&self.id).ok_or(NoRoom)?.bytes;
        while bodies.used - before + bytes > bodies.capacity {
            bodies.free_oldest_incomplete_except(self.id)?;
        }
        bodies.used = bodies.used - before + bytes;
        bodies.held.entry(self.id).and_modify(|held| held.bytes = bytes);
        Ok(())
    }

    /// Marks the body as received: from now on it keeps its memory.
    pub(super) fn complete(&self) {
        self.memory.lock().held.entry(self.id).and_modify(|held| held.give_up = None);
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        self.memory.lock().free(self.id);
    }
}

impl Bodies {
    fn free_oldest_incomplete_except(&mut self, id: u64) -> Result<(), NoRoom> {
        let mut incomplete = self.held.iter().filter(|(_, held)| held.give_up.is_some() && held.bytes > 0);
        let oldest =
            incomplete.find(|(oldest, _)| **oldest != id).map(|(oldest, _)| *oldest).ok_or(NoRoom)?;
        self.free(oldest);
        Ok(())
    }

    /// Frees the memory of a body. Its reader, if it is still waiting for a part, drops it as soon as it runs.
    fn free(&mut self, id: u64) {
        let Some(held) = self.held.remove(&id) else { return };
        self.used -= held.bytes;
        if let Some(give_up) = held.give_up {
            // Without a receiver, the request has ended.
            let _ = give_up.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_incomplete_body_makes_room_for_a_new_one() {
        let memory = BodyMemory::new(100);
        let (complete, _) = memory.begin();
        complete.resize(40).unwrap();
        complete.complete();
        let (oldest, mut oldest_gives_up) = memory.begin();
        oldest.resize(30).unwrap();
        let (newer, mut newer_gives_up) = memory.begin();
        newer.resize(30).unwrap();

        let (body, _) = memory.begin();
        body.resize(20).unwrap();
        assert_eq!(oldest_gives_up.try_recv(), Ok(()), "the oldest incomplete body gives its memory up");
        assert!(newer_gives_up.try_recv().is_err());
        assert!(oldest.resize(1).is_err(), "it does not get any back");
        assert_eq!(memory.count(), 3);

        body.resize(60).unwrap();
        assert_eq!(newer_gives_up.try_recv(), Ok(()));
        assert!(body.resize(61).is_err(), "a complete body keeps its memory");
        drop(complete);
        body.resize(100).unwrap();
        assert!(body.resize(101).is_err());
        drop((oldest, newer, body));
        assert_eq!((memory.count(), memory.lock().used), (0, 0));
    }
}
