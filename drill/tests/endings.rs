//! Whatever ends the program, every process and container that it started ends with it. Needs what the drills need: run it
//! with `make drills`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use glasshouse_drill::watch::until;

#[tokio::test]
async fn ctrl_c_ends_everything_and_removes_its_files() {
    ends_with("INT", true).await;
}

#[tokio::test]
async fn so_does_a_polite_end() {
    ends_with("TERM", true).await;
}

/// Only the kernel can see to this, and it removes no files.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn even_if_it_is_killed_nothing_stays_that_runs() {
    ends_with("KILL", false).await;
}

async fn ends_with(signal: &str, removes_files: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut stack = Up::start(folder.path());
    assert!(stack.parts().len() >= 6, "{:?}", stack.parts());

    let sent = Command::new("kill").args(["-s", signal, &stack.drill.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let patience = Duration::from_secs(60);
    let ended = until(patience, async || Ok(stack.drill.try_wait()?)).await.unwrap();
    assert!(ended.is_some(), "it does not end");
    let gone = until(patience, async || Ok(stack.parts().is_empty().then_some(())));
    assert!(gone.await.unwrap().is_some(), "still there: {:?}", stack.parts());
    if removes_files {
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// A stack that is up.
struct Up {
    drill: Child,
    children: Vec<String>,
    /// By which Compose knows the stack, if it is one of containers.
    project: Option<String>,
}

impl Up {
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
            line.contains("Ctrl-C ends everything")
        });
        assert!(is_up, "it did not come up");
        let children = lines_of("pgrep", &["-P", &drill.id().to_string()]);
        Self { drill, children, project }
    }

    /// What there still is of it.
    fn parts(&self) -> Vec<String> {
        let processes = lines_of("ps", &["-o", "pid=,stat=,comm=", "-p", &self.children.join(",")]);
        // One that has ended and that nobody asked about yet counts as ended.
        let mut parts: Vec<_> = processes.into_iter().filter(|line| !line.contains(" Z")).collect();
        if let Some(project) = &self.project {
            let label = format!("label=com.docker.compose.project={project}");
            for list in [["container", "ls", "--all"].as_slice(), &["volume", "ls"], &["network", "ls"]] {
                parts.extend(lines_of("docker", &[list, &["--quiet", "--filter", &label]].concat()));
            }
        }
        parts
    }
}

fn lines_of(program: &str, arguments: &[&str]) -> Vec<String> {
    let found = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}
