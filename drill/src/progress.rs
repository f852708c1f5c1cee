//! The only place that writes to the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a program for a terminal")]

use std::sync::OnceLock;
use std::time::Instant;

/// Tells people who wait what happens, with the time since the first line.
pub(crate) fn say(text: &str) {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let passed = BEGUN.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("[{:02}:{:02}] {text}", passed / 60, passed % 60);
}

/// Writes a result.
pub(crate) fn print(text: &str) {
    println!("{text}");
}
