//! `docker-compose.yml` and the files that its containers are given, without Docker: in the project, and, so that each
//! check can fail, in a small stack that is broken in one place at a time.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod compose;
mod mounts;
mod network;
mod sample;
mod schema;
mod services;

use std::path::Path;

use compose::Stack;
use glasshouse_drill::project::read_yaml;
use yaml_serde::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Everything that is wrong with a stack.
fn problems(stack: &Stack) -> Vec<String> {
    [services::problems(stack), network::problems(stack), mounts::problems(stack)].concat()
}

#[test]
fn the_stack_is_whole() {
    assert_eq!(problems(&Stack::read(root())), [""; 0]);
}

/// What grafana/README.md asks for.
#[test]
fn grafana_finds_its_dashboards_and_the_runbooks() {
    let stack = Stack::read(root());
    let mounts = stack.mounts(&stack.services["grafana"]);
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
