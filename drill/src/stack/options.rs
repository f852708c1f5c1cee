//! What a stack is started with.

use std::path::Path;

use super::addresses::Addresses;
use super::platform::Platform;
use crate::project::Project;
use crate::speed::Speed;

/// The options of a stack.
#[derive(Clone, Debug)]
pub struct Options {
    /// The project with the rules, the configurations and the processes.
    pub project: Project,
    /// The divisor of their durations; of a stack that runs already, the one that it was started with.
    pub speed: Speed,
    /// The platform to run on.
    pub platform: Platform,
    /// Whether people look at the stack, instead of drills: a stack of processes then writes log files, and has what `[shown]` of the
    /// project describes.
    pub is_shown: bool,
}

/// What the platforms need to start a stack.
pub(super) struct StackContext<'a> {
    pub(super) project: &'a Project,
    pub(super) speed: Speed,
    pub(super) addresses: &'a Addresses,
    /// A temporary folder for configurations and data. It exists as long as the stack.
    pub(super) folder: &'a Path,
    /// The folder in it for log files, if people look at the stack.
    pub(super) logs: Option<&'a Path>,
}
