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
}

/// What the platforms need to start a stack.
pub(super) struct StackContext<'a> {
    pub(super) project: &'a Project,
    pub(super) speed: Speed,
    pub(super) addresses: &'a Addresses,
    /// A temporary folder for configurations and data. It exists as long as the stack.
    pub(super) folder: &'a Path,
}
