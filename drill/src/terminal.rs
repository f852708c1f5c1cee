//! Writes to the terminal. No other module does.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a program for a terminal")]

use std::sync::OnceLock;
use std::time::Instant;

/// Writes a progress message to standard error, prefixed with the time since the first message (`[MM:SS]`).
pub(crate) fn log(text: &str) {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    let elapsed = STARTED.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("[{:02}:{:02}] {text}", elapsed / 60, elapsed % 60);
}

/// Writes a result to standard output.
pub(crate) fn print(text: &str) {
    println!("{text}");
}
