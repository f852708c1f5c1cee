//! Standard output, for the commands that print a result.

use std::io::{self, ErrorKind, Write};

/// Writes text to standard output. Nothing is wrong if no one reads it any more, as in `glasshouse openapi | head`.
///
/// # Errors
/// It cannot be written, for example because the disk is full.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
