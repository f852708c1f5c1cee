//! Whatever ends the program, every process that it started ends with it. Needs what the drills need: run it
//! with `make drills`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use glasshouse_load_tests::watch::until;

#[tokio::test]
async fn ctrl_c_ends_everything_and_removes_its_files() {
    ends_with("INT", true).await;
}

#[tokio::test]
async fn so_does_a_polite_end() {
    ends_with("TERM", true).await;
}

/// Only the kernel can do this, and it removes no files.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn even_if_it_is_killed_no_process_stays() {
    ends_with("KILL", false).await;
}

async fn ends_with(signal: &str, removes_files: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut stack = start(folder.path());
    let children = children_of(stack.id());
    assert!(children.len() >= 6, "redis, three of the service, Prometheus, Alertmanager: {children:?}");

    let sent = Command::new("kill").args(["-s", signal, &stack.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let ended = until(Duration::from_secs(20), async || Ok(stack.try_wait()?)).await.unwrap();
    assert!(ended.is_some(), "it does not end");
    let gone = until(Duration::from_secs(20), async || Ok(running(&children).is_empty().then_some(())));
    assert!(gone.await.unwrap().is_some(), "still there: {:?}", running(&children));
    if removes_files {
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// A stack that is up.
fn start(folder: &std::path::Path) -> Child {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_drill"));
    command.arg("--project").arg(root).arg("stack").env("TMPDIR", folder).stdout(Stdio::piped());
    let mut stack = command.spawn().unwrap();
    let lines = BufReader::new(stack.stdout.take().unwrap()).lines();
    let is_up = lines.map(Result::unwrap).any(|line| line.contains("Ctrl-C ends everything"));
    assert!(is_up, "it did not come up");
    stack
}

fn children_of(process: u32) -> Vec<String> {
    let found = Command::new("pgrep").args(["-P", &process.to_string()]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn running(processes: &[String]) -> Vec<String> {
    let found =
        Command::new("ps").args(["-o", "pid=,stat=,comm=", "-p", &processes.join(",")]).output().unwrap();
    let lines = String::from_utf8(found.stdout).unwrap();
    // One that has ended and that nobody asked about yet counts as ended.
    lines.lines().filter(|line| !line.contains(" Z")).map(str::to_owned).collect()
}
