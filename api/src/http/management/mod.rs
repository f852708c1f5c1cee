//! The management interface: metrics, profiles, fault injection and the console. It has a listener of its own.

pub mod console;
pub mod faults;
pub mod metrics;
pub mod profiles;

use super::unknown_route::Routes;

/// All routes of the management interface.
#[must_use]
pub fn routes(faults_are_enabled: bool, has_console: bool) -> Routes {
    let read =
        ["/health/live", "/health/ready", "/metrics", "/debug/pprof/flamegraph", "/debug/pprof/profile"];
    let read = read.map(|path| (path.to_owned(), vec!["GET"]));
    let faults = faults_are_enabled.then(|| ("/faults".to_owned(), vec!["GET", "PUT", "DELETE"]));
    let console = console::ROUTES.iter().filter(|_| has_console);
    let console = console.map(|(path, methods)| ((*path).to_owned(), methods.to_vec()));
    let routes = read.into_iter().chain(faults).chain(console);
    Routes::new(routes, "the management interface has no such route")
}
