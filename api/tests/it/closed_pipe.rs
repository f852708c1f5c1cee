//! A command whose output no one reads any more, as in `glasshouse openapi | head`, ends without an error.

use std::io::{Read, pipe};
use std::process::{Command, Stdio};

use crate::command_line::{common, with};
use crate::support::{Backend, Process, Settings, TestDatabase};

/// The exit code and standard error of a command whose standard output is closed.
fn run_unread(arguments: &[&str], settings: &Settings) -> (Option<i32>, String) {
    let (reader, output) = pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshouse"));
    command.args(arguments).env_clear().envs(settings).stdin(Stdio::null()).stdout(output);
    let (mut errors, stderr) = pipe().unwrap();
    let mut child = command.stderr(stderr).spawn().unwrap();
    drop(command); // with its end of the pipe
    let mut text = String::new();
    errors.read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

#[test]
fn a_command_that_prints_a_document_ends_quietly() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/telemetry.md");
    for arguments in [
        ["openapi"].as_slice(),
        &["telemetry-contract"],
        &["telemetry-contract", "--tables", page],
        &["check-config", "gateway"],
        &["--help"],
        &["--version"],
        &["help", "audit"],
    ] {
        assert_eq!(run_unread(arguments, &Settings::new()), (Some(0), String::new()), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_command_that_prints_rows_of_the_database_ends_quietly() {
    let database = TestDatabase::create(Backend::Embedded).await;
    let settings = with(&common(), [("DATABASE_URL", &*database.service_url())]);
    let seeded = Process::run(&["seed", "--demo"], &settings).await;
    assert_eq!(seeded.code, Some(0), "{}", seeded.stderr);
    for arguments in [["audit"].as_slice(), &["audit", "--format", "json"], &["dead-letters", "list"]] {
        assert_eq!(run_unread(arguments, &settings), (Some(0), String::new()), "{arguments:?}");
    }
}

/// Only a reader that is gone is no error: a result that is lost is.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_glasshouse"));
    let ended = command.arg("openapi").stdout(full).output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("glasshouse: No space left on device"), "{stderr}");
}
