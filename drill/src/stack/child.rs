use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::watch::until;

/// How many of its last lines are kept of a process.
const LINES: usize = 200;

/// How a process is started. Of our own environment it sees `PATH` and `HOME`, unless it is one that people run the same way.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: BTreeMap<&'static str, String>,
    /// Whether it sees our whole environment.
    pub(crate) sees_our_environment: bool,
    /// Whether what it writes goes to our standard error output, and is not collected.
    pub(crate) is_shown: bool,
}

/// A process that is killed when this is dropped, whatever the reason.
///
/// It has a process group of its own, so that Ctrl-C reaches the drill alone, which then ends all in order.
/// Where `setpriv` exists (Linux), the kernel kills it even if the drill itself is killed: this is bound to
/// the thread that started it, and so a drill starts everything on its main thread.
pub struct Child {
    name: &'static str,
    process: Process,
    output: Output,
}

/// What a process wrote: its last lines, and when it last wrote each event.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<Written>>);

#[derive(Default)]
struct Written {
    lines: VecDeque<String>,
    events: HashMap<String, Instant>,
    /// How many pipes are still read.
    open: usize,
}

#[derive(Deserialize)]
struct Line {
    message: String,
}

impl Launch {
    pub(crate) fn new(name: &'static str, program: impl Into<PathBuf>) -> Self {
        Self {
            name,
            program: program.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            sees_our_environment: false,
            is_shown: false,
        }
    }

    pub(crate) fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts it; its lines go to `output`.
    pub(crate) fn start(&self, output: Output) -> Result<Child> {
        let mut command = outliving_nobody(&self.program);
        let is_seen = |name: &OsString| self.sees_our_environment || name == "PATH" || name == "HOME";
        command.args(&self.arguments).env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| is_seen(name))).envs(&self.environment);
        command.stdin(Stdio::null()).process_group(0);
        if self.is_shown {
            command.stdout(std::io::stderr()).stderr(std::io::stderr());
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut process =
            command.spawn().with_context(|| format!("{}: {}", self.name, self.program.display()))?;
        output.collect(process.stdout.take());
        output.collect(process.stderr.take());
        Ok(Child { name: self.name, process, output })
    }

    /// Runs it to its end, which must be a good one, and gives what it wrote.
    pub(crate) async fn run(&self, patience: Duration) -> Result<Output> {
        let mut child = self.start(Output::default())?;
        let status = child.ended_within(patience).await?;
        let output = child.output.clone();
        // What it wrote at last may still be on its way.
        until(Duration::from_secs(1), async || Ok(output.is_complete().then_some(()))).await?;
        if !status.success() {
            bail!("{} failed ({status}):\n{}", self.name, output.tail(20));
        }
        Ok(output)
    }
}

/// A command that the kernel kills when its starter is gone, where that is possible.
fn outliving_nobody(program: &Path) -> Command {
    match find_program(&["setpriv"]) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// The first of these programs that is in `PATH`.
pub fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

impl Child {
    /// What it wrote.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Asks it to end as Ctrl-C does.
    pub fn interrupt(&mut self) -> Result<()> {
        if self.ended()?.is_none() {
            kill_process(Pid::from_child(&self.process), Signal::INT)?;
        }
        Ok(())
    }

    /// Waits for its end.
    pub async fn ended_within(&mut self, patience: Duration) -> Result<ExitStatus> {
        let name = self.name;
        let ended = until(patience, async || Ok(self.ended()?)).await?;
        ended.with_context(|| format!("{name} did not end within {patience:?}"))
    }

    /// Waits until `is_ready`, and fails if the process ends before.
    pub(crate) async fn ready(&mut self, mut is_ready: impl AsyncFnMut() -> bool) -> Result<()> {
        let patience = Duration::from_secs(60);
        let outcome = until(patience, async || {
            let ended = self.ended()?;
            Ok(if ended.is_none() && is_ready().await { Some(None) } else { ended.map(Some) })
        });
        let problem = match outcome.await? {
            Some(None) => return Ok(()),
            Some(Some(status)) => format!("ended at its start ({status})"),
            None => format!("was not ready within {patience:?}"),
        };
        bail!("{} {problem}:\n{}", self.name, self.output.tail(20));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // After a kill the end is near, and waiting for it lets the folder of its files be removed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Output {
    /// When it last logged this event.
    pub fn last(&self, event: &str) -> Option<Instant> {
        self.lock().events.get(event).copied()
    }

    /// The last lines.
    pub fn tail(&self, lines: usize) -> String {
        let written = self.lock();
        let skipped = written.lines.len().saturating_sub(lines);
        written.lines.iter().skip(skipped).map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Those of the last lines that contain this.
    pub fn lines_with(&self, part: &str) -> Vec<String> {
        self.lock().lines.iter().filter(|line| line.contains(part)).cloned().collect()
    }

    /// The last lines.
    pub fn lines(&self) -> Vec<String> {
        self.lines_with("")
    }

    fn collect(&self, from: Option<impl Read + Send + 'static>) {
        let Some(from) = from else { return };
        let output = self.clone();
        output.lock().open += 1;
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                output.add(String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
            output.lock().open -= 1;
        });
    }

    fn is_complete(&self) -> bool {
        self.lock().open == 0
    }

    fn add(&self, line: &str) {
        let event = serde_json::from_str::<Line>(line).ok();
        let mut written = self.lock();
        if let Some(Line { message }) = event {
            written.events.insert(message, Instant::now());
        }
        if written.lines.len() == LINES {
            written.lines.pop_front();
        }
        written.lines.push_back(line.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::test_kill_process;

    use super::*;

    fn sleeping() -> Child {
        Launch::new("sleep", "sleep").argument("1000").start(Output::default()).unwrap()
    }

    #[test]
    fn a_panic_ends_its_processes() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let panicked = std::panic::catch_unwind(move || {
            let child = sleeping();
            sender.send(Pid::from_child(&child.process)).unwrap();
            panic!("a drill that fails");
        });
        assert!(panicked.is_err());
        assert!(test_kill_process(receiver.recv().unwrap()).is_err(), "it still runs");
    }

    #[tokio::test]
    async fn a_process_that_cannot_start_is_told_with_its_last_lines() {
        let launch = Launch::new("redis", "sh").argument("-c").argument("echo the port is taken >&2; exit 3");
        let mut child = launch.start(Output::default()).unwrap();
        let error = child.ready(async || false).await.unwrap_err().to_string();
        assert!(error.starts_with("redis ended at its start") && error.contains("exit status: 3"), "{error}");
    }

    #[tokio::test]
    async fn what_is_run_to_its_end_is_read_to_its_end() {
        let run = |script: &'static str| async move {
            let launch = Launch::new("sh", "sh").argument("-c").argument(script);
            launch.run(Duration::from_secs(20)).await
        };
        assert_eq!(run("echo one; echo two >&2").await.unwrap().lines().len(), 2);
        let error = run("echo why; exit 4").await.map(drop).unwrap_err().to_string();
        assert!(error.starts_with("sh failed (exit status: 4)") && error.ends_with("why"), "{error}");
    }

    #[test]
    fn the_last_lines_and_the_events_are_remembered() {
        let output = Output::default();
        (0..=LINES).for_each(|number| output.add(&format!("line {number}")));
        output.add(r#"{"message":"slow_query","duration":2}"#);
        assert_eq!(output.tail(2), format!("line {LINES}\n{}", r#"{"message":"slow_query","duration":2}"#));
        assert_eq!(output.lock().lines.len(), LINES);
        assert!(output.last("slow_query").is_some() && output.last("order_placed").is_none());
        assert_eq!(output.lines_with("line 19").len(), 11, "19 and 190 to 199");
    }
}
