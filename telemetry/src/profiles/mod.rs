//! Where the CPU's time goes (and with the feature `heap-profiling` also the memory): all the time, sent to
//! Pyroscope, and on demand.
//!
//! A process has one timer and one handler of the signal SIGPROF, so there is one sampler for both uses.
//! It is the one of the crate `pyroscope`, and so are the messages of the push protocol; that crate's agent is
//! not used, as it tells nobody what it lost, and takes up to 16 seconds to stop.

mod continuous;
#[cfg(feature = "heap-profiling")]
mod heap;
mod label;
mod recording;
mod sampler;
mod stacks;

pub(super) use continuous::{Continuous, Receiver, dropped};
pub use label::{Label, Labelled};
pub use recording::{Format, RecordError, record};
