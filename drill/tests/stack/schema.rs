//! The Compose file is one by the schema of Compose itself, which `check-jsonschema` brings:
//! `scripts/install-check-tools target/check-tools` installs it.

use std::path::Path;
use std::process::Command;

use crate::root;
use crate::sample::Sample;

/// What is wrong with the file; nothing if all is well.
fn problems(file: &Path) -> Option<String> {
    let tools = root().join("target/check-tools");
    assert!(
        tools.join("installed").is_file(),
        "first run `scripts/install-check-tools target/check-tools`, as `make test` does"
    );
    let checked = Command::new(tools.join("bin/check-jsonschema"))
        .args(["--builtin-schema", "vendor.compose-spec"])
        .arg(file)
        .output()
        .unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    (!checked.status.success()).then(|| String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_compose_file_follows_the_schema() {
    assert_eq!(problems(&root().join("docker-compose.yml")), None);
}

#[test]
fn what_breaks_the_schema_is_named() {
    let sample = Sample::with("restart: unless-stopped", "restarts: unless-stopped");
    let found = problems(&sample.path("docker-compose.yml")).unwrap();
    assert!(found.contains("services.server"), "{found}");
    assert!(found.contains("'restarts' was unexpected"), "{found}");
}
