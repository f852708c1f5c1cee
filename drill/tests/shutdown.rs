//! However the program ends, all processes and containers that it started end with it. The tests need the tools of the
//! drills: run them with `make drills`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use glasshouse_drill::polling::poll_until;

#[tokio::test]
async fn sigint_stops_everything_and_removes_the_files() {
    assert_cleanup_after("INT", true).await;
}

#[tokio::test]
async fn sigterm_stops_everything_and_removes_the_files() {
    assert_cleanup_after("TERM", true).await;
}

/// Only the kernel can stop the processes then, and it removes no files.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn sigkill_stops_everything() {
    assert_cleanup_after("KILL", false).await;
}

async fn assert_cleanup_after(signal: &str, removes_files: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut stack = RunningStack::start(folder.path());
    assert!(stack.remains().len() >= 6, "{:?}", stack.remains());

    let sent = Command::new("kill").args(["-s", signal, &stack.drill.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let timeout = Duration::from_secs(60);
    let ended = poll_until(timeout, async || Ok(stack.drill.try_wait()?)).await.unwrap();
    assert!(ended.is_some(), "drill does not exit");
    let stopped = poll_until(timeout, async || Ok(stack.remains().is_empty().then_some(())));
    assert!(stopped.await.unwrap().is_some(), "still running: {:?}", stack.remains());
    if removes_files {
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// A `drill stack` that is up.
struct RunningStack {
    drill: Child,
    children: Vec<String>,
    /// The Compose project name; `None` for a stack of processes.
    project: Option<String>,
}

impl RunningStack {
    fn start(folder: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_drill"));
        command.arg("--project").arg(root).arg("stack").env("TMPDIR", folder).stdout(Stdio::piped());
        let mut drill = command.spawn().unwrap();
        let mut project = None;
        let lines = BufReader::new(drill.stdout.take().unwrap()).lines();
        let is_up = lines.map(Result::unwrap).any(|line| {
            let named = line.split_once("--project-name ").and_then(|(_, rest)| rest.split(' ').next());
            project = project.take().or(named.map(str::to_owned));
            line.contains("Ctrl-C stops everything")
        });
        assert!(is_up, "the stack did not start");
        let children = lines_of("pgrep", &["-P", &drill.id().to_string()]);
        Self { drill, children, project }
    }

    /// The processes, containers, volumes and networks that still exist.
    fn remains(&self) -> Vec<String> {
        let processes = lines_of("ps", &["-o", "pid=,stat=,comm=", "-p", &self.children.join(",")]);
        // A zombie has exited.
        let mut remains: Vec<_> = processes.into_iter().filter(|line| !line.contains(" Z")).collect();
        if let Some(project) = &self.project {
            let label = format!("label=com.docker.compose.project={project}");
            for list in [["container", "ls", "--all"].as_slice(), &["volume", "ls"], &["network", "ls"]] {
                remains.extend(lines_of("docker", &[list, &["--quiet", "--filter", &label]].concat()));
            }
        }
        remains
    }
}

fn lines_of(program: &str, arguments: &[&str]) -> Vec<String> {
    let found = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}
