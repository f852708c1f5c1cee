//! Starts child processes, and ensures that none outlives the drill.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child as StdChild, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::output::Output;
use crate::polling::poll_until;

/// How a process is started. Of the drill's environment it inherits only `PATH` and `HOME` by default.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// The name in messages.
    pub name: String,
    /// The path of the program, or its name in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The variables that are added to its environment.
    pub environment: Environment,
    /// The folder that it runs in; `None` for that of the drill.
    pub folder: Option<PathBuf>,
    /// Whether it inherits the whole environment of the drill.
    pub inherits_environment: bool,
    /// Whether its output goes to the drill's standard error instead of being captured.
    pub shows_output: bool,
}

/// Environment variables.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Sets a variable.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value of a variable that is set here.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variables that are set here, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Sets variables.
    pub fn extend(&mut self, variables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) {
        variables.into_iter().for_each(|(name, value)| self.insert(name, value));
    }
}

/// A child process that is killed when this is dropped.
///
/// It has a process group of its own, so that Ctrl-C reaches only the drill, which then stops all processes in order. On
/// Linux, `setpriv` makes the kernel kill it even if the drill itself is killed. The kernel does so when the thread that
/// started the process ends, so a drill starts all processes on its main thread.
pub struct Child {
    name: String,
    process: StdChild,
    output: Output,
}

impl ProcessSpec {
    /// A process without arguments.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            arguments: Vec::new(),
            environment: Environment::default(),
            folder: None,
            inherits_environment: false,
            shows_output: false,
        }
    }

    /// A process whose program is the first of `programs` in `PATH`.
    ///
    /// # Errors
    /// None of the programs is installed.
    pub fn installed(name: &str, programs: &[&str]) -> Result<Self> {
        let program = find_program(programs).with_context(|| format!("{} is not installed", programs[0]))?;
        Ok(Self::new(name, program))
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds the argument `--NAME=VALUE`.
    #[must_use]
    pub fn flag(self, name: &str, value: impl fmt::Display) -> Self {
        self.argument(format!("--{name}={value}"))
    }

    /// Starts the process. Its output is added to `output`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(&self, output: Output) -> Result<Child> {
        let mut command = killed_with_parent(&self.program);
        let is_inherited = |name: &OsString| self.inherits_environment || name == "PATH" || name == "HOME";
        command.args(&self.arguments).env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| is_inherited(name))).envs(&self.environment.0);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).process_group(0);
        if self.shows_output {
            command.stdout(std::io::stderr()).stderr(std::io::stderr());
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut process =
            command.spawn().with_context(|| format!("{}: {}", self.name, self.program.display()))?;
        output.capture(process.stdout.take());
        output.capture(process.stderr.take());
        Ok(Child { name: self.name.clone(), process, output })
    }

    /// Runs the process until it exits, and returns its output.
    ///
    /// # Errors
    /// It cannot be started, fails, or does not exit before the timeout.
    pub async fn run(&self, timeout: Duration) -> Result<Output> {
        let mut child = self.spawn(Output::default())?;
        let status = child.wait(timeout).await?;
        let output = child.output.clone();
        // Its last lines may still be in the pipes.
        poll_until(Duration::from_secs(1), async || Ok(output.is_complete().then_some(()))).await?;
        if !status.success() {
            bail!("{} failed ({status}):\n{}", self.name, output.tail(20));
        }
        Ok(output)
    }
}

/// A command that the kernel kills when its parent exits, if `setpriv` is installed.
fn killed_with_parent(program: &Path) -> Command {
    match find_program(&["setpriv"]) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// The path of the first of these programs that is in `PATH`.
pub fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

impl Child {
    /// The name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The captured output.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// The exit status; `None` while the process runs.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// The process id.
    pub fn id(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Sends SIGINT to the process and its children, like Ctrl-C, unless the process has exited.
    pub fn interrupt(&mut self) -> Result<()> {
        if self.exit_status()?.is_none() {
            kill_process_group(self.id(), Signal::INT)?;
        }
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process has exited, and was waited for.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.id(), signal)?)
    }

    /// Waits until the process exits.
    ///
    /// # Errors
    /// It does not exit before the timeout.
    pub async fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let status = poll_until(timeout, async || self.exit_status()).await?;
        status.with_context(|| format!("{} did not exit within {timeout:?}", self.name))
    }

    /// Waits until `is_ready` returns true.
    ///
    /// # Errors
    /// The process exits first, or is not ready before the timeout.
    pub async fn wait_until_ready(
        &mut self,
        timeout: Duration,
        mut is_ready: impl AsyncFnMut() -> bool,
    ) -> Result<()> {
        let outcome = poll_until(timeout, async || {
            let exited = self.exit_status()?;
            Ok(if exited.is_none() && is_ready().await { Some(None) } else { exited.map(Some) })
        });
        let problem = match outcome.await? {
            Some(None) => return Ok(()),
            Some(Some(status)) => format!("exited before it was ready ({status})"),
            None => format!("was not ready within {timeout:?}"),
        };
        bail!("{} {problem}:\n{}", self.name, self.output.tail(20));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Its children too, such as those of a shell. Once it has been waited for, its id may be that of another.
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = kill_process_group(self.id(), Signal::KILL);
        }
        // Waits, so that the folder of its files can be removed afterwards.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::test_kill_process;

    use super::*;

    fn sleeping() -> Child {
        ProcessSpec::new("sleep", "sleep").argument("1000").spawn(Output::default()).unwrap()
    }

    #[test]
    fn a_panic_kills_child_processes() {
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
    async fn a_process_that_exits_before_it_is_ready_is_reported_with_its_output() {
        let spec =
            ProcessSpec::new("redis", "sh").argument("-c").argument("echo the port is taken >&2; exit 3");
        let mut child = spec.spawn(Output::default()).unwrap();
        let error =
            child.wait_until_ready(Duration::from_secs(60), async || false).await.unwrap_err().to_string();
        assert!(error.starts_with("redis exited before it was ready"), "{error}");
        assert!(error.contains("exit status: 3"), "{error}");
    }

    #[tokio::test]
    async fn run_returns_the_whole_output() {
        let run = |script: &'static str| async move {
            let spec = ProcessSpec::new("sh", "sh").argument("-c").argument(script);
            spec.run(Duration::from_secs(20)).await
        };
        assert_eq!(run("echo one; echo two >&2").await.unwrap().lines().len(), 2);
        let error = run("echo why; exit 4").await.map(drop).unwrap_err().to_string();
        assert!(error.starts_with("sh failed (exit status: 4)") && error.ends_with("why"), "{error}");
    }
}
