use std::io::PipeWriter;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::docker::Docker;

/// Waits for the end of its input, and then runs what it was given. It says something only if that fails.
const SCRIPT: &str =
    r#"trap '' INT TERM HUP; cat >/dev/null; said=$("$@" 2>&1) || printf '%s\n' "$said" >&2"#;

/// Removes a stack's containers, networks and data when this is dropped, or when this process is gone: whatever ended
/// it, the kernel then closes its end of a pipe, and at the other end somebody waits for that.
pub(super) struct Guard {
    pipe: Option<PipeWriter>,
    waiting: Child,
}

impl Guard {
    pub(super) fn of(docker: &Docker) -> Result<Self> {
        let removal =
            docker.compose(["--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "1"]);
        let (reader, pipe) = std::io::pipe()?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(&removal.program).args(&removal.arguments);
        // In a group of its own, so that Ctrl-C does not reach it.
        command.stdin(reader).stdout(Stdio::null()).process_group(0);
        Ok(Self { pipe: Some(pipe), waiting: command.spawn().context("sh")? })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
        // Nothing can be done if it fails, and it has said why.
        let _ = self.waiting.wait();
    }
}
