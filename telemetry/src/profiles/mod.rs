//! CPU profiles, and heap profiles with the feature `heap-profiling`: continuously to Pyroscope, and on demand.
//!
//! A process has one timer and one handler of the signal SIGPROF, so both uses read the same sampler. The sampler and the
//! messages of the push protocol are those of the crate `pyroscope`. Its agent is not used: it does not report dropped
//! profiles, and it takes up to 16 seconds to stop.

mod continuous;
#[cfg(feature = "heap-profiling")]
mod heap;
mod label;
mod recording;
mod sampler;
mod stacks;

pub(super) use continuous::{Continuous, Receiver, client, dropped};
pub use label::{Label, LabelGuard};
pub use recording::{Format, RecordError, record};
