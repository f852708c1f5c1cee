//! A command of the binary as a process of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The unit of CPU time in `/proc` (`USER_HZ`, which is 100 on Linux).
const TICKS_PER_SECOND: f64 = 100.0;

/// How long a process may take to start.
const START: Duration = Duration::from_secs(60);

/// How long a process may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(15);

/// The pause between two looks at a process.
const POLL: Duration = Duration::from_millis(20);

/// The key of all tokens.
pub(crate) const JWT_SECRET: &str = "a key that is known to the measurement alone";

/// No log record of a request, but the record with the addresses.
pub(crate) const SILENT: (&str, &str) =
    ("RUST_LOG", "off,glasshouse_telemetry::service::events::process=info");

/// The settings of all processes. Rate limits are not what is measured.
const SETTINGS: [(&str, &str); 10] = [
    ("GLASSHOUSE_HTTP_ADDR", "127.0.0.1:0"),
    ("GLASSHOUSE_MANAGEMENT_ADDR", "127.0.0.1:0"),
    ("GLASSHOUSE_GATEWAY_ADDR", "127.0.0.1:0"),
    ("GLASSHOUSE_RATE_LIMIT_FREE", "1000000/1000000"),
    ("GLASSHOUSE_RATE_LIMIT_PRO", "1000000/1000000"),
    ("GLASSHOUSE_RATE_LIMIT_ENTERPRISE", "1000000/1000000"),
    ("GLASSHOUSE_LOG_FORMAT", "json"),
    ("GLASSHOUSE_CONSOLE", "false"),
    ("DATABASE_POOL_SIZE", "20"),
    ("JWT_SECRET", JWT_SECRET),
];

/// Environment variables.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// A running process. It ends when it is dropped.
pub(crate) struct Process {
    child: Child,
    started: Value,
    folder: TempDir,
}

impl Process {
    /// Starts a command, and waits until it serves. It writes its log records to a file.
    pub(crate) fn start(command: &str, settings: &Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut process = prepared(command, settings);
        process.env("GLASSHOUSE_DATA_DIR", folder.path().join("data"));
        let child = process.stdout(File::create(&log).unwrap()).spawn().unwrap();
        // It ends with the value if it does not start.
        let mut process = Self { child, started: Value::Null, folder };
        let begun = Instant::now();
        while process.started.is_null() {
            assert!(begun.elapsed() < START, "{command} does not start");
            sleep(POLL);
            let records = std::fs::read_to_string(&log).unwrap();
            let mut records = records.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let started = records.find(|record| record["message"] == "application_started");
            process.started = started.unwrap_or_default();
        }
        process
    }

    /// Runs a command to its end. Returns whether it succeeded, and prints its output if not.
    pub(crate) fn run(command: &[&str], settings: &Settings) -> bool {
        let (command, arguments) = command.split_first().unwrap();
        let output = prepared(command, settings).args(arguments).stderr(Stdio::inherit()).output().unwrap();
        if !output.status.success() {
            println!("{}", String::from_utf8_lossy(&output.stdout));
        }
        output.status.success()
    }

    /// The address in this field of `application_started`.
    pub(crate) fn address(&self, field: &str) -> SocketAddr {
        self.started[field].as_str().unwrap().parse().unwrap()
    }

    /// The address of the public interface.
    pub(crate) fn http(&self) -> SocketAddr {
        self.address("http_addr")
    }

    /// The URL of a path of the management interface.
    pub(crate) fn management(&self, path: &str) -> String {
        format!("http://{}{path}", self.address("management_addr"))
    }

    /// The size of its log so far, in bytes.
    pub(crate) fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.folder.path().join("log")).unwrap().len()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The CPU time that it has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let ticks = stat(self.id()).map(|fields| fields[11] + fields[12]);
        ticks.unwrap() as f64 / TICKS_PER_SECOND
    }
}

impl Drop for Process {
    /// Stops it gracefully: a build with counters writes them when it exits.
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let begun = Instant::now();
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if begun.elapsed() > STOP {
                let _ = self.child.kill();
            }
            sleep(POLL);
        }
    }
}

fn prepared(command: &str, settings: &Settings) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_glasshouse"));
    process.arg(command).env_clear().envs(SETTINGS).envs(settings.iter().cloned());
    process
}

/// The CPU time that a server and all of its child processes have used, in seconds. That of a child which has ended is
/// in the fields of its parent.
pub(crate) fn cpu_seconds_of_tree(parent: u32) -> f64 {
    let ended = stat(parent).map(|fields| fields[13] + fields[14]).unwrap() as f64 / TICKS_PER_SECOND;
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<u32>().ok()
    });
    let children = processes.filter(|id| stat(*id).is_some_and(|fields| fields[1] == u64::from(parent)));
    ended + children.filter_map(|id| scheduled_seconds(&format!("/proc/{id}"))).sum::<f64>()
}

/// The CPU time that this thread has used, in seconds.
pub(crate) fn cpu_seconds_of_this_thread() -> f64 {
    scheduled_seconds("/proc/thread-self").unwrap()
}

/// The CPU time of a folder in `/proc`, in seconds. `None` if its process has ended.
fn scheduled_seconds(folder: &str) -> Option<f64> {
    let schedstat = std::fs::read_to_string(format!("{folder}/schedstat")).ok()?;
    Some(schedstat.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// The parent of a process.
pub(crate) fn parent(process: u32) -> u32 {
    stat(process).unwrap()[1].try_into().unwrap()
}

/// The numbers in `/proc/PID/stat` after the name of the program, which may contain spaces: the state as 0, the parent, and so
/// on. `None` if there is no such process.
fn stat(process: u32) -> Option<Vec<u64>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some(fields.map(|field| field.parse().unwrap_or(0)).collect())
}
