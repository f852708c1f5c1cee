//! Panics, wherever they happen, become log lines: nothing is written to the standard error, past redaction.

use std::panic::PanicHookInfo;

use crate::events::panics::Panicked;

/// From now on each panic of this process is logged, on the thread and in the span where it happens.
pub(super) fn log_all() {
    std::panic::set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic.location().map(ToString::to_string);
    let thread = std::thread::current();
    Panicked { panic: message, location: location.as_deref(), thread: thread.name() }.emit();
}
