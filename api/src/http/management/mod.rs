//! The management interface: metrics, profiles and fault injection. It has a listener of its own.

pub mod faults;
pub mod metrics;
pub mod profiles;

use super::unknown_route::Routes;

/// All routes of the management interface.
#[must_use]
pub fn routes(faults_are_enabled: bool) -> Routes {
    let read =
        ["/health/live", "/health/ready", "/metrics", "/debug/pprof/flamegraph", "/debug/pprof/profile"];
    let read = read.map(|path| (path.to_owned(), vec!["GET"]));
    let faults = faults_are_enabled.then(|| ("/faults".to_owned(), vec!["GET", "PUT", "DELETE"]));
    Routes::new(read.into_iter().chain(faults), "the management interface has no such route")
}
