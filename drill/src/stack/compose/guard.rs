//! Removes the containers of a stack, whatever ends the drill.

use std::io::PipeWriter;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::docker::Docker;

/// Waits until its standard input is closed, and then runs the command in its arguments. It writes output only if that
/// fails.
const SCRIPT: &str =
    r#"trap '' INT TERM HUP; cat >/dev/null; output=$("$@" 2>&1) || printf '%s\n' "$output" >&2"#;

/// Removes the containers, networks and volumes of a stack when this is dropped or this process ends. However the
/// process ends, the kernel closes its end of a pipe, and a shell at the other end then runs the removal.
pub(super) struct RemovalGuard {
    pipe: Option<PipeWriter>,
    shell: Child,
}

impl RemovalGuard {
    pub(super) fn new(docker: &Docker) -> Result<Self> {
        let removal =
            docker.compose(["--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "1"]);
        let (reader, pipe) = std::io::pipe()?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(&removal.program).args(&removal.arguments);
        // In a process group of its own, so that Ctrl-C does not reach it.
        command.stdin(reader).stdout(Stdio::null()).process_group(0);
        Ok(Self { pipe: Some(pipe), shell: command.spawn().context("sh")? })
    }
}

impl Drop for RemovalGuard {
    fn drop(&mut self) {
        self.pipe = None;
        // On failure the shell has written the cause.
        let _ = self.shell.wait();
    }
}
