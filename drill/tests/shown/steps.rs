//! Every step of the runbooks works on a stack of processes.

use std::collections::BTreeSet;
use std::path::Path;

use glasshouse_runbooks::{ALL, Command, Platform, commands};

use super::{ShownStack, text};

/// `grep` finds nothing on a healthy stack, and a pipe may end before its first command.
const HEALTHY: &str = "grep() { command grep \"$@\" || [ $? = 1 ]; }; export USER=test";
const BROKEN_PIPE: i32 = 141;

/// All lines of the blocks, and calls of functions in sentences, each once. Left out is what is about containers or Kubernetes alone, or
/// has a placeholder. Where the server of Postgres is not one of the stack, so is what is about its process.
fn steps(functions: &BTreeSet<String>) -> Vec<(&'static str, Command)> {
    let (mut steps, mut seen) = (Vec::new(), BTreeSet::new());
    for page in ALL {
        for command in commands(page.markdown()) {
            let is_call = command.text.split_once(' ').is_some_and(|(word, _)| functions.contains(word));
            let is_step = (command.is_in_block || is_call)
                && command.platform == Platform::Any
                && !command.has_placeholder();
            if is_step && seen.insert(command.text.clone()) {
                steps.push((page.name(), command));
            }
        }
    }
    steps
}

#[tokio::test]
async fn every_step_of_the_runbooks_works() {
    let Some(stack) = ShownStack::start() else { return };
    let functions = stack.shell("declare -F | cut -d ' ' -f 3");
    let functions = functions.lines().filter(|name| !name.starts_with("drill_")).map(str::to_owned).collect();
    let steps = steps(&functions);
    assert!(steps.len() > 100, "not all steps were found: {}", steps.len());
    // Some steps write files that the next ones read.
    let folder = tempfile::tempdir().unwrap();
    let has_postgres = stack.has_state("postgres");
    let mut problems = Vec::new();
    for (page, Command { text: step, .. }) in &steps {
        let is_about_postgres = ["processes", "logs", "start"].map(|verb| format!("{verb} postgres"));
        if !has_postgres && is_about_postgres.contains(step) {
            continue;
        }
        let command = step.replace("seconds=60", "seconds=1"); // of a profile
        let Some(command) = allowed(&command) else { continue };
        let output = stack.run(&format!("{HEALTHY}\n{command}"), folder.path());
        let status = output.status;
        if !status.success() && status.code() != Some(BROKEN_PIPE) {
            problems.push(format!("{page}: {step}: {status}: {}", text(output)));
        }
    }
    assert!(problems.is_empty(), "{} of {} steps:\n{}", problems.len(), steps.len(), problems.join("\n"));
    // Some of them have restarted processes.
    stack.shell("management api /health/ready; management worker /health/ready");
}

/// The command without `sudo`, if this is root already; `None` without its rights.
fn allowed(command: &str) -> Option<&str> {
    let Some(privileged) = command.strip_prefix("sudo ") else { return Some(command) };
    use std::os::unix::fs::MetadataExt;
    let is_root = Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0);
    is_root.then_some(privileged)
}

#[test]
fn a_command_that_several_pages_have_is_one_step() {
    let steps = steps(&["restart", "events"].map(str::to_owned).into());
    assert_eq!(steps.iter().filter(|(_, command)| command.text == "restart api").count(), 1);
    assert!(steps.iter().all(|(_, command)| !command.text.contains("docker")), "{steps:?}");
}
