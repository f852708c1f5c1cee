//! The name of the current thread, as the kernel keeps it.

/// The bytes of a name, with the zero at its end (Linux: `TASK_COMM_LEN`).
pub(super) const CAPACITY: usize = 16;

/// The name of a thread, as a C string padded with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadName([u8; CAPACITY]);

impl ThreadName {
    pub(super) const fn new(name: [u8; CAPACITY]) -> Self {
        Self(name)
    }
}

#[cfg(target_os = "linux")]
impl ThreadName {
    /// The name of the current thread.
    pub(super) fn current() -> Self {
        let mut name = [0; CAPACITY];
        if let Ok(current) = rustix::thread::name() {
            let current = current.to_bytes();
            let length = current.len().min(CAPACITY - 1);
            name[..length].copy_from_slice(&current[..length]);
        }
        Self(name)
    }

    /// Gives the current thread this name.
    pub(super) fn set(&self) {
        if let Ok(name) = std::ffi::CStr::from_bytes_until_nul(&self.0) {
            // If it fails, the samples of the thread have no label.
            let _ = rustix::thread::set_name(name);
        }
    }
}

/// Other systems: no thread is renamed, and samples have no labels.
#[cfg(not(target_os = "linux"))]
impl ThreadName {
    pub(super) const fn current() -> Self {
        Self([0; CAPACITY])
    }

    pub(super) const fn set(&self) {}
}
