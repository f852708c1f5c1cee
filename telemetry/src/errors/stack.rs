//! The stack of a panic: its addresses are captured where it happens, and their symbols resolved where events are
//! sent, for the first resolution can take seconds.

use std::ptr;

use backtrace::{Backtrace, Symbol};
use sentry::ClientOptions;
use sentry::integrations::backtrace::{backtrace_to_stacktrace, process_event_stacktrace};
use sentry::protocol::{Addr, Frame, Stacktrace};

/// The current stack as bare addresses.
pub(super) fn unresolved() -> Option<Stacktrace> {
    backtrace_to_stacktrace(&Backtrace::new_unresolved())
}

/// Replaces each address with the functions at it, which are several where some were inlined.
pub(super) fn resolve(stack: &mut Stacktrace, in_app: &[&'static str]) {
    for frame in std::mem::take(&mut stack.frames) {
        let mut functions = Vec::new();
        if let Some(address) = frame.instruction_addr
            && let Ok(pointer) = usize::try_from(address.0)
        {
            backtrace::resolve(ptr::without_provenance_mut(pointer), |symbol| {
                functions.push(named(address, symbol))
            });
        }
        if functions.is_empty() {
            functions.push(frame);
        }
        // Sentry orders frames from the outermost to the innermost.
        stack.frames.extend(functions.into_iter().rev());
    }
    process_event_stacktrace(stack, &ClientOptions::new().in_app_include(in_app.iter().copied()));
}

fn named(address: Addr, symbol: &Symbol) -> Frame {
    let path = symbol.filename();
    Frame {
        // The alternate form leaves out the hash at the end.
        function: symbol.name().map(|name| format!("{name:#}")),
        instruction_addr: Some(address),
        filename: path.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
        abs_path: path.map(|path| path.to_string_lossy().into_owned()),
        lineno: symbol.lineno().map(u64::from),
        ..Frame::default()
    }
}
