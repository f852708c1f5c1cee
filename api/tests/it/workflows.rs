//! The workflows of GitHub and the development container: valid, pinned, and with the toolchain of the image.

use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn workflows() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join(".github/workflows")).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn workflows_are_valid() {
    let program = root().join("target/check-tools/bin/check-jsonschema");
    assert!(program.is_file(), "first run `scripts/install-check-tools target/check-tools`");
    for (schema, files) in
        [("github-workflows", workflows()), ("dependabot", vec![root().join(".github/dependabot.yml")])]
    {
        let mut command = Command::new(&program);
        let output =
            command.args(["--builtin-schema", &format!("vendor.{schema}")]).args(files).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// A tag of an action can be moved; a commit cannot.
#[test]
fn actions_are_pinned_by_commit() {
    let pinned = Regex::new(r"^uses: [\w./-]+@[0-9a-f]{40} # v[0-9.]+$").unwrap();
    let mut count = 0;
    for file in workflows() {
        let text = read(&file);
        let uses = text
            .lines()
            .map(|line| line.trim().trim_start_matches("- "))
            .filter(|line| line.starts_with("uses:"));
        for line in uses {
            assert!(pinned.is_match(line), "{}: {line}", file.display());
            count += 1;
        }
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn all_use_the_same_toolchain() {
    let image = Regex::new(r"FROM rust:([0-9.]+)-").unwrap();
    let version = image.captures(&read("Dockerfile")).unwrap()[1].to_owned();
    for (file, expected) in [
        (".github/workflows/ci.yml", format!("RUST_VERSION: \"{version}\"")),
        (".devcontainer/devcontainer.json", format!("\"version\": \"{version}\"")),
        ("Cargo.toml", format!("rust-version = \"{}\"", version.trim_end_matches(".0"))),
    ] {
        assert!(read(file).contains(&expected), "{file} has not {expected}");
    }
}
