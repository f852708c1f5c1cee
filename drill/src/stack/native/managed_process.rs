//! A process that can be stopped and restarted.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::files::{ProcessFiles, State};
use super::redis;
use crate::stack::output::Output;
use crate::stack::process::{Child, ProcessSpec};

/// The timeout for a process to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// The timeout of one request whether a process is ready.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a supervised process may exit within [`EXITS_PERIOD`] until it stays down.
const MAX_EXITS: usize = 5;
const EXITS_PERIOD: Duration = Duration::from_secs(60);

/// A process that can be stopped and restarted. All its runs share one captured output.
pub(super) struct ManagedProcess {
    spec: ProcessSpec,
    probe: ReadinessProbe,
    output: Output,
    /// `None` while it is stopped.
    child: Option<Child>,
    /// `None` in the stack of a drill.
    supervision: Option<Supervision>,
}

/// How to check that a process is ready.
pub(super) enum ReadinessProbe {
    /// A GET request to this URL returns 2xx.
    Http(String),
    /// Redis answers a PING.
    Redis(SocketAddr),
}

/// The past runs of a process that is started again whenever it has exited.
struct Supervision {
    files: ProcessFiles,
    is_ready: bool,
    restarts: usize,
    /// How the last run ended.
    last_exit: Option<String>,
    /// When it has exited by itself within [`EXITS_PERIOD`].
    exits: VecDeque<Instant>,
}

impl ManagedProcess {
    /// Starts the process and waits until it is ready. If there is a folder `logs`, people look at the stack: it has the files of the
    /// process, and [`supervise`](Self::supervise) is to be called.
    pub(super) async fn start(spec: ProcessSpec, probe: ReadinessProbe, logs: Option<&Path>) -> Result<Self> {
        let files = logs.map(|folder| ProcessFiles::new(folder, &spec.name));
        let output = match &files {
            Some(files) => Output::copied_to(&files.log())?,
            None => Output::default(),
        };
        files.iter().try_for_each(|files| files.write_environment(&spec.environment))?;
        let mut process = Self { spec, probe, output, child: None, supervision: files.map(Supervision::new) };
        process.restart().await?;
        if let (Some(supervision), Some(child)) = (&mut process.supervision, &process.child) {
            supervision.becomes_ready(child)?;
        }
        Ok(process)
    }

    /// Kills the process.
    pub(super) fn stop(&mut self) {
        self.child = None;
    }

    /// Kills the process if it runs, starts it again, and waits until it is ready.
    pub(super) async fn restart(&mut self) -> Result<()> {
        self.stop();
        let mut child = self.spec.spawn(self.output.clone())?;
        child.wait_until_ready(READY_TIMEOUT, async || self.probe.is_ready().await).await?;
        self.child = Some(child);
        Ok(())
    }

    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    /// The exit status and last lines if the process has exited without being stopped.
    pub(super) fn exit_report(&mut self) -> Result<Option<String>> {
        let status = self.child.as_mut().map(Child::exit_status).transpose()?.flatten();
        Ok(status.map(|status| format!("{} exited ({status}):\n{}", self.spec.name, self.output.tail(10))))
    }

    /// Reports that the process has exited, or starts it again, unless it is to stay down. To be called about once a second.
    pub(super) async fn supervise(&mut self, report: &dyn Fn(&str)) -> Result<()> {
        let Some(supervision) = &mut self.supervision else { return Ok(()) };
        let Some(child) = &mut self.child else {
            if supervision.files.stays_down() {
                return Ok(());
            }
            self.spec.environment = supervision.files.environment()?;
            match self.spec.spawn(self.output.clone()) {
                Ok(child) => {
                    supervision.starts(&child)?;
                    self.child = Some(child);
                }
                Err(error) => supervision.exits(format!("{error:#}"), &self.output, report)?,
            }
            return Ok(());
        };
        if let Some(status) = child.exit_status()? {
            self.child = None;
            supervision.exits(status.to_string(), &self.output, report)?;
        } else if !supervision.is_ready && self.probe.is_ready().await {
            supervision.becomes_ready(child)?;
            report(&format!("{} is ready again", self.spec.name));
        }
        Ok(())
    }
}

impl ReadinessProbe {
    async fn is_ready(&self) -> bool {
        let probe = async {
            match self {
                Self::Http(url) => {
                    reqwest::get(url).await.is_ok_and(|response| response.status().is_success())
                }
                Self::Redis(address) => redis::is_ready(*address).await,
            }
        };
        tokio::time::timeout(PROBE_TIMEOUT, probe).await.unwrap_or(false)
    }
}

impl Supervision {
    fn new(files: ProcessFiles) -> Self {
        Self { files, is_ready: false, restarts: 0, last_exit: None, exits: VecDeque::new() }
    }

    fn starts(&mut self, child: &Child) -> Result<()> {
        self.restarts += 1;
        self.is_ready = false;
        self.files.write_state(State::Starting(child.id()), &self.details())
    }

    fn becomes_ready(&mut self, child: &Child) -> Result<()> {
        self.is_ready = true;
        self.files.write_state(State::Running(child.id()), &self.details())
    }

    fn exits(&mut self, status: String, output: &Output, report: &dyn Fn(&str)) -> Result<()> {
        let name = self.files.name();
        let is_stopped = self.files.stays_down();
        if is_stopped {
            report(&format!("{name} is stopped ({status})"));
        } else {
            self.exits.push_back(Instant::now());
            self.exits.retain(|exit| exit.elapsed() < EXITS_PERIOD);
            let next = if self.exits.len() < MAX_EXITS {
                "it is started again".to_owned()
            } else {
                self.exits.clear();
                self.files.keep_down()?;
                format!("for the {MAX_EXITS}th time within a minute: it stays down until `start {name}`")
            };
            report(&format!("{name} exited ({status}), {next}; its last lines:\n{}", output.tail(3)));
        }
        self.last_exit = Some(status.replace('\n', " "));
        self.files.write_state(if is_stopped { State::Stopped } else { State::Exited }, &self.details())
    }

    /// What people may want to see of past runs.
    fn details(&self) -> String {
        let Self { restarts, last_exit, .. } = self;
        let last_exit = last_exit.as_ref();
        last_exit.map(|status| format!("last run: {status}; restarts: {restarts}")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use rustix::process::Signal;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::polling::poll_until;

    /// A process that is ready at once: the test answers in its place.
    async fn supervised(folder: &Path, script: &str) -> ManagedProcess {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let probe = ReadinessProbe::Redis(listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 64]).await;
                let _ = stream.write_all(b"+PONG\r\n").await;
            }
        });
        let spec = ProcessSpec::new("sleeper", "sh").argument("-c").argument(script);
        ManagedProcess::start(spec, probe, Some(folder)).await.unwrap()
    }

    /// Supervises the process until its state begins with a word.
    async fn state(process: &mut ManagedProcess, folder: &Path, word: &str, report: &dyn Fn(&str)) -> String {
        let state = poll_until(Duration::from_secs(20), async || {
            process.supervise(report).await?;
            let state = std::fs::read_to_string(folder.join("sleeper.state"))?;
            Ok(state.starts_with(word).then_some(state))
        });
        state.await.unwrap().expect("the state is reached")
    }

    #[tokio::test]
    async fn a_process_that_exits_is_started_again_with_its_changed_settings() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut process = supervised(folder, "echo color is $COLOR; exec sleep 1000").await;
        let reports = RefCell::new(Vec::new());
        let report = |text: &str| reports.borrow_mut().push(text.to_owned());
        std::fs::write(folder.join("sleeper.env"), "COLOR=blue\n").unwrap();
        process.child.as_ref().unwrap().signal(Signal::KILL).unwrap();
        let exited = state(&mut process, folder, "exited", &report).await;
        assert!(exited.contains("SIGKILL"), "{exited}");
        let running = state(&mut process, folder, "running", &report).await;
        assert!(running.ends_with("restarts: 1\n"), "{running}");
        assert!(reports.borrow()[0].starts_with("sleeper exited (signal: 9 (SIGKILL)), it is started again"));
        let log = poll_until(Duration::from_secs(20), async || {
            let log = std::fs::read_to_string(folder.join("sleeper.log"))?;
            Ok(log.contains("color is blue").then_some(()))
        });
        log.await.unwrap().expect("the setting has its changed value");
    }

    #[tokio::test]
    async fn a_process_stays_down_if_a_person_stops_it_or_if_it_exits_too_often() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, ignore) = (folder.path(), |_: &str| ());
        let mut process = supervised(folder, "test -z \"$BROKEN\" && exec sleep 1000; exit 3").await;
        std::fs::write(folder.join("sleeper.stopped"), "").unwrap();
        process.child.as_ref().unwrap().signal(Signal::TERM).unwrap();
        state(&mut process, folder, "stopped", &ignore).await;
        process.supervise(&ignore).await.unwrap();
        assert!(process.child.is_none(), "it stays down");

        std::fs::write(folder.join("sleeper.env"), "BROKEN=1\n").unwrap();
        std::fs::remove_file(folder.join("sleeper.stopped")).unwrap();
        let down = poll_until(Duration::from_secs(20), async || {
            process.supervise(&ignore).await?;
            Ok(folder.join("sleeper.stopped").exists().then_some(()))
        });
        down.await.unwrap().expect("it exits too often");
        let exited = state(&mut process, folder, "exited", &ignore).await;
        assert!(exited.contains("exit status: 3; restarts: 5"), "{exited}");
    }
}
