//! Checks `docker-compose.yml` and the files that it mounts, without Docker. Each check runs on this repository, and on a
//! small sample with one defect at a time.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod compose;
mod mounts;
mod network;
mod sample;
mod schema;
mod services;

use std::path::Path;

use compose::ComposeFile;
use glasshouse_drill::project::read_yaml;
use yaml_serde::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All problems of a Compose file: one message each.
fn problems(file: &ComposeFile) -> Vec<String> {
    [services::problems(file), network::problems(file), mounts::problems(file)].concat()
}

#[test]
fn the_compose_file_has_no_problems() {
    assert_eq!(problems(&ComposeFile::read(root())), [""; 0]);
}

/// The mounts that grafana/README.md requires.
#[test]
fn dashboards_and_runbooks_are_mounted_into_grafana() {
    let file = ComposeFile::read(root());
    let mounts = file.mounts(&file.services["grafana"]);
    let mounted_at = |folder: &str| {
        let source = root().join(".").join(folder);
        mounts.iter().find(|mount| mount.source == source).map_or("nowhere", |mount| &mount.target)
    };
    assert_eq!(mounted_at("grafana/provisioning"), "/etc/grafana/provisioning");
    assert_eq!(mounted_at("docs/runbooks"), "/usr/share/grafana/public/runbooks");
    let provisioned: Value =
        read_yaml(&root().join("grafana/provisioning/dashboards/glasshouse.yml")).unwrap();
    assert_eq!(provisioned["providers"][0]["options"]["path"], mounted_at("grafana/dashboards"));
}
