//! Panics, on any thread.

/// The target of these log records, that distinguishes a panic from other errors.
pub(crate) const TARGET: &str = module_path!();

crate::events! {
    "process"

    /// A thread panicked; if it served a request, `unhandled_exception` follows.
    pub struct Panicked<'a>: ERROR "panicked" {
        panic: &'a str,
        location: Option<&'a str>,
        thread: Option<&'a str>,
    }
}
