//! The committed dashboards, without Grafana.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod files;
mod queries;

use std::path::Path;

use glasshouse_load_tests::dashboards::Dashboard;
use glasshouse_load_tests::project::Project;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn project() -> Project {
    Project::new(root())
}

fn dashboards() -> Vec<Dashboard> {
    Dashboard::read_all(&project().dashboards()).unwrap()
}

fn dashboard(uid: &str) -> Dashboard {
    dashboards().into_iter().find(|dashboard| dashboard.uid() == uid).unwrap()
}
