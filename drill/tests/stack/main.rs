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

/// With static targets, the replicas of `--scale worker=2` would be one target, and their counters mixed.
#[test]
fn prometheus_discovers_each_replica_of_a_service() {
    let config: Value = read_yaml(&root().join("deploy/prometheus/prometheus.yml")).unwrap();
    let services = ComposeFile::read(root()).services;
    let jobs = config["scrape_configs"].as_sequence().unwrap();
    let names_of = |job: &Value| -> Vec<String> {
        let lookups = job["dns_sd_configs"].as_sequence().into_iter().flatten();
        let names = lookups.flat_map(|lookup| lookup["names"].as_sequence().unwrap());
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    for (job, service) in [
        ("glasshouse-api", "api"),
        ("glasshouse-worker", "worker"),
        ("glasshouse-gateway", "gateway"),
        ("public-endpoint", "api"),
    ] {
        let job = jobs.iter().find(|one| one["job_name"].as_str() == Some(job)).unwrap();
        assert_eq!(names_of(job), [service]);
    }
    for name in jobs.iter().flat_map(names_of) {
        assert!(services.contains_key(&name), "no service {name}");
    }
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
    assert_eq!(mounted_at("grafana/runbooks"), "/usr/share/grafana/public/runbooks");
    let provisioned: Value =
        read_yaml(&root().join("grafana/provisioning/dashboards/glasshouse.yml")).unwrap();
    assert_eq!(provisioned["providers"][0]["options"]["path"], mounted_at("grafana/dashboards"));
}
