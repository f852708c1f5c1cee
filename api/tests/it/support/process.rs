//! The binary as a process of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Client, eventually};

/// Environment variables.
pub(crate) type Settings = BTreeMap<String, String>;

/// Settings from pairs of name and value.
pub(crate) fn settings<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Settings {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The real binary as a process of its own. Its environment consists of the test's settings alone. Dropping it
/// kills it.
pub(crate) struct Process {
    child: Child,
    begun: Instant,
    stdout: Output,
    stderr: Output,
}

/// The exit of a process.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<String>>);

impl Process {
    /// Starts `glasshouse` with these arguments.
    pub(crate) fn start(arguments: &[&str], settings: &Settings) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_glasshouse")).args(arguments), settings)
    }

    /// Starts another command in the same way.
    pub(crate) fn spawn(command: &mut Command, settings: &Settings) -> Self {
        command.env_clear().envs(settings).current_dir(env!("CARGO_TARGET_TMPDIR"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Output::collect(child.stdout.take().unwrap());
        let stderr = Output::collect(child.stderr.take().unwrap());
        Self { child, begun: Instant::now(), stdout, stderr }
    }

    /// Runs `glasshouse` until it exits.
    pub(crate) async fn run(arguments: &[&str], settings: &Settings) -> Ended {
        Self::start(arguments, settings).ends().await
    }

    /// The largest resident memory that it has had so far, in bytes (Linux only).
    pub(crate) fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until its standard output contains this text; `false` if it ended without.
    pub(crate) async fn prints(&mut self, text: &str) -> bool {
        eventually(&format!("it prints {text:?}"), async || {
            let has_ended = self.child.try_wait().unwrap().is_some();
            if self.stdout().contains(text) { Some(true) } else { has_ended.then_some(false) }
        })
        .await
    }

    /// Its standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.0.lock().unwrap().clone()
    }

    /// Waits for the first log record of this event.
    pub(crate) async fn logs(&mut self, event: &str) -> Value {
        eventually(&format!("{event} is logged"), async || {
            let found = log_lines(&self.stdout()).into_iter().find(|line| line["message"] == event);
            if found.is_none() && self.child.try_wait().unwrap().is_some() {
                panic!("it ended without {event}: {} {}", self.stdout(), self.stderr.0.lock().unwrap());
            }
            found
        })
        .await
    }

    /// A client of the address in this field of `application_started`.
    pub(crate) async fn client(&mut self, field: &str) -> Client {
        let address = self.address(field).await;
        Client::new(reqwest::Client::new(), format!("http://{address}"))
    }

    /// The address in this field of `application_started`.
    pub(crate) async fn address(&mut self, field: &str) -> String {
        let started = self.logs("application_started").await;
        started[field].as_str().unwrap_or_else(|| panic!("no {field} in {started}")).to_owned()
    }

    /// Sends a signal such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Writes to its standard input.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Whether it has exited.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has exited.
    pub(crate) async fn ends(mut self) -> Ended {
        let status = eventually("the process ends", async || self.child.try_wait().unwrap()).await;
        let took = self.begun.elapsed();
        let (stdout, stderr) = (self.stdout.whole().await, self.stderr.whole().await);
        Ended { code: status.code(), stdout, stderr, took }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn collect(from: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        let shared = output.clone();
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                shared.0.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        output
    }

    /// The whole output, once the reading thread has ended.
    async fn whole(&self) -> String {
        eventually("all output is read", async || {
            (Arc::strong_count(&self.0) == 1).then(|| self.0.lock().unwrap().clone())
        })
        .await
    }
}

/// The records of a log. Each line must be a JSON object.
#[track_caller]
pub(crate) fn log_lines(stdout: &str) -> Vec<Value> {
    let whole = stdout.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}
