//! What a stack is started with.

use std::path::Path;

use super::addresses::Addresses;
use super::platform::Platform;
use crate::project::Project;
use crate::speed::Speed;

/// Limits that make one process of the service small enough for a scenario to saturate it on two cores, and do not throttle
/// the clients of all scenarios for having one address: environment variables with their values.
pub(super) const SERVICE_LIMITS: [(&str, &str); 8] = [
    ("DATABASE_POOL_SIZE", "10"),
    ("GLASSHOUSE_ARGON2_MEMORY_KIB", "64"),
    ("GLASSHOUSE_ARGON2_PASSES", "1"),
    ("GLASSHOUSE_LOGIN_LIMIT_ADDRESS", "100000/3600"),
    ("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", "32"),
    ("GLASSHOUSE_MEMORY_LIMIT_MIB", "512"),
    ("GLASSHOUSE_SIGN_UP_LIMIT", "60/60"),
    ("GLASSHOUSE_TOKEN_SECONDS", "7200"),
];

/// The options of a stack.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository with the rules, the configurations and the Compose file.
    pub project: Project,
    /// The divisor of their durations.
    pub speed: Speed,
    /// The platform to run on.
    pub platform: Platform,
}

/// What both platforms need to start a stack.
pub(super) struct StackContext<'a> {
    pub(super) project: &'a Project,
    pub(super) speed: Speed,
    pub(super) addresses: &'a Addresses,
    /// A temporary folder for configurations and data. It exists as long as the stack.
    pub(super) folder: &'a Path,
}
