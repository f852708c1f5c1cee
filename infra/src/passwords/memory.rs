//! The memory of password hashing: reused while requests are in the queue, and then returned to the system.

use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

use allocator_api2::vec::Vec as VecIn;
use argon2::Block;

/// The minimum capacity of a [`Memory`] in blocks of 1 KiB: above 32 MiB.
///
/// The C library (glibc) maps an allocation above 32 MiB on its own, whatever was allocated before, and unmaps it when it
/// is freed. The allocator of the program keeps what is freed for seconds, and while the program is idle for longer. Only the
/// blocks that a hash uses become resident.
const MIN_CAPACITY: usize = 33 * 1024;

/// The memory of one hash, from the C library.
#[derive(Debug)]
pub(super) struct Memory(VecIn<Block, System>);

impl Default for Memory {
    fn default() -> Self {
        Self(VecIn::new_in(System))
    }
}

impl Memory {
    /// This many blocks, with any content.
    pub(super) fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.0.capacity() < count {
            // Freed first: the content is not copied.
            *self = Self::default();
            self.0.reserve_exact(count.max(MIN_CAPACITY));
        }
        if self.0.len() < count {
            self.0.resize(count, Block::new());
        }
        &mut self.0[..count]
    }
}

/// The memory that no hash uses at the moment.
#[derive(Debug, Default)]
pub(super) struct MemoryPool {
    idle: Mutex<Vec<Memory>>,
}

impl MemoryPool {
    /// Lends memory to a hash. If the hash panics, its memory is freed.
    pub(super) fn lend<T>(&self, hash: impl FnOnce(&mut Memory) -> T) -> T {
        let idle = self.idle().pop();
        let mut memory = idle.unwrap_or_default();
        let result = hash(&mut memory);
        self.idle().push(memory);
        result
    }

    /// Frees the idle memory.
    pub(super) fn free(&self) {
        // Unmapping takes a while: not under the lock.
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    pub(super) fn idle(&self) -> MutexGuard<'_, Vec<Memory>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
