//! The program `drill`: parses its arguments and runs a command of the library.

mod arguments;
mod commands;
mod drills;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use arguments::Arguments;

/// Runs on one thread: the kernel kills a child process when the thread that started it ends.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A signal drops the running command, and with it every child process.
    let result = tokio::select! {
        result = commands::run(arguments) => result,
        () = termination_signal() => {
            terminal::log("interrupted");
            return ExitCode::from(130);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            terminal::log(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Completes on SIGINT, SIGTERM or SIGHUP.
async fn termination_signal() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    std::future::poll_fn(|context| {
        let is_received = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if is_received { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
