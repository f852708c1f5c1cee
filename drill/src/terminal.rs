//! Writes to the terminal. No other module does.

use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;
use std::time::Instant;

/// Writes a progress message to standard error, prefixed with the time since the first message (`[MM:SS]`).
pub(crate) fn log(text: &str) {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    let elapsed = STARTED.get_or_init(Instant::now).elapsed().as_secs();
    // If even this fails, there is no channel left to report on.
    let _ = writeln!(io::stderr(), "[{:02}:{:02}] {text}", elapsed / 60, elapsed % 60);
}

/// Writes a result to standard output. Nothing is wrong if no one reads it any more, as in `drill list | head`.
///
/// # Errors
/// It cannot be written, for example because the disk is full.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
