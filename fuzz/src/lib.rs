//! Fuzz targets for the parsers of Glasshouse: for what reads bytes that someone else wrote.
//!
//! A [`Target`] is a function of bytes that panics where a property of its parser does not hold. It also panics where the
//! parser panics, and that is the least of it: what is accepted keeps the documented bounds and survives a round trip, what is
//! rejected gets an error that says what to do, and a second implementation of the rules agrees.
//!
//! - [`targets`]: the targets, one module for each parser. **Start reading here.**
//! - `tests/parsers.rs` runs each on its seeds and on random mutations of them, from a fixed seed: part of `make test`.
//! - [`campaign`]: runs each under libFuzzer, guided by coverage, for as long as you like: `make fuzz`.
//!
//! ```
//! use glasshouse_fuzz::targets;
//!
//! let cursor = targets::ALL.iter().find(|target| target.name == "cursor").unwrap();
//! (cursor.run)(b"anything at all");
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a target reports a finding"
)]

pub mod campaign;
mod check;
pub mod targets;

/// A parser with the properties that must hold for all inputs.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the parser and of its module, such as `cursor`.
    pub name: &'static str,
    /// Inputs to begin with, written by hand: accepted ones, and edge cases.
    pub seeds: &'static [&'static str],
    /// Parts of inputs that mutations insert. libFuzzer cannot guess them: the comparison of texts is not instrumented.
    pub dictionary: &'static [&'static str],
    /// Panics if a property does not hold for this input.
    pub run: fn(&[u8]),
}
