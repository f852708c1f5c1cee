//! Continuous profiling.

use std::error::Error;
use std::fmt::Display;

crate::events! {
    "profiles"

    /// Pyroscope rejected a profile or did not answer; the first of a series of failures.
    pub struct ProfilesNotAccepted<'a>: WARN "profiles_not_accepted" { error: &'a (dyn Error + 'static) }

    /// Pyroscope accepts profiles again.
    pub struct ProfilesAcceptedAgain: INFO "profiles_accepted_again" {}

    /// The CPU cannot be sampled.
    pub struct ProfilesFailed<'a>: ERROR "profiles_failed" { error: &'a (dyn Error + 'static) }

    /// Memory cannot be sampled; only with the feature `heap-profiling`.
    pub struct HeapProfilesOff<'a>: WARN "heap_profiles_off" { error: &'a dyn Display, hint: &'a str }
}
