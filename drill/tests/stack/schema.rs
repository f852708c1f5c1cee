//! Validates the Compose file against the schema of Compose with `check-jsonschema`, which
//! `scripts/install-check-tools target/check-tools` installs.

use std::path::Path;
use std::process::Command;

use crate::root;
use crate::sample::SampleStack;

/// The output of the validator; `None` if the file is valid.
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
    let output = [checked.stdout, checked.stderr].concat();
    (!checked.status.success()).then(|| String::from_utf8_lossy(&output).into_owned())
}

#[test]
fn the_compose_file_is_valid() {
    assert_eq!(problems(&root().join("docker-compose.yml")), None);
}

#[test]
fn a_violation_of_the_schema_is_reported() {
    let sample = SampleStack::with("restart: unless-stopped", "restarts: unless-stopped");
    let found = problems(&sample.path("docker-compose.yml")).unwrap();
    assert!(found.contains("services.server"), "{found}");
    assert!(found.contains("'restarts' was unexpected"), "{found}");
}
