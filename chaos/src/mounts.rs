//! A mount namespace of the program's own. What is mounted there is on no other process's way, and ends with the program.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Set in a process that has its own namespace.
const MARK: &str = "GLASSHOUSE_CHAOS_OWN_MOUNTS";

/// Executes the program again in a mount namespace of its own, if the system permits that. Must be called before
/// anything is started.
pub(crate) fn enter() {
    let is_done = std::env::var_os(MARK).is_some();
    if is_done || !unshare().arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // It returns only if it fails, and then the program goes on without a namespace.
        let _failed = unshare().arg(program).args(std::env::args_os().skip(1)).env(MARK, "1").exec();
    }
}

/// Runs a program in a new mount namespace. Users without privileges get them in a user namespace.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.arg("--mount");
    command
}
