//! The panic hook: panics on any thread become log records. Standard error, which is not redacted, gets none.

use std::panic::PanicHookInfo;

use crate::events::panics::Panicked;

/// Installs the hook. It logs a panic on its thread and in its span.
pub(super) fn log_all() {
    std::panic::set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic.location().map(ToString::to_string);
    let thread = std::thread::current();
    Panicked { panic: message, location: location.as_deref(), thread: thread.name() }.emit();
}
