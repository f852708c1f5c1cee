//! Where the commands run: a folder that has what they read of the repository, with free ports in place of those of the page, and
//! rules that are as much faster as those of a drill.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use regex::{Captures, Regex};
use tempfile::TempDir;

use super::page::Block;
use crate::console::{Demo, free_address};
use crate::support::{Process, Settings, settings, test_variable};

/// The divisor of every duration in the configurations of Prometheus and Alertmanager, as in `make drills`.
const SPEED: u64 = 30;

/// How long all commands may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// `cargo run --quiet --bin NAME -- ARGUMENTS` with programs that are built already.
const CARGO: &str = "#!/bin/sh\nname=$4; shift 5; exec \"target/$name\" \"$@\"\n";

/// The folder, and the addresses in place of those of the page.
pub(super) struct Workplace {
    folder: TempDir,
    /// The port on the page, and the address.
    addresses: Vec<(u16, String)>,
}

impl Workplace {
    pub(super) fn new() -> Self {
        let addresses = [9090, 9093, 9094].map(|port| (port, free_address()));
        Self { folder: tempfile::tempdir().unwrap(), addresses: addresses.into() }
    }

    /// The settings of the demo. The reconciler begins as soon as the last attempt of a request has ended.
    pub(super) fn settings(&self) -> Settings {
        let prometheus = format!("http://{}", self.address(9090));
        let data = self.path("glasshouse-data").display().to_string();
        settings([
            ("GLASSHOUSE_PROMETHEUS_URL", &*prometheus),
            ("GLASSHOUSE_DATA_DIR", &data),
            ("GLASSHOUSE_RECONCILE_AFTER_SECONDS", "10"),
        ])
    }

    /// Takes the addresses of the demo, and makes what the commands read.
    pub(super) fn enter(&mut self, demo: &Demo) {
        for (port, url) in
            [(8080, demo.api_url()), (9000, demo.management_url()), (8090, demo.gateway.base().to_owned())]
        {
            self.addresses.push((port, url.trim_start_matches("http://").to_owned()));
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        symlink(root.join("api"), self.path("api")).unwrap();
        symlink(Path::new(env!("CARGO_BIN_EXE_glasshouse")).parent().unwrap(), self.path("target")).unwrap();
        assert!(self.path("target/drill").is_file(), "first run `cargo build --workspace --bin drill`");
        for file in ["prometheus/demo.yml", "prometheus/rules", "alertmanager/alertmanager.yml"] {
            self.speed_up(&root.join("deploy").join(file), &self.path("deploy").join(file));
        }
        self.write_program("cargo", CARGO);
    }

    /// Copies a file or a folder, with shorter durations and other addresses.
    fn speed_up(&self, from: &Path, to: &Path) {
        if from.is_dir() {
            for entry in std::fs::read_dir(from).unwrap() {
                let name = entry.unwrap().file_name();
                self.speed_up(&from.join(&name), &to.join(&name));
            }
            return;
        }
        let duration = Regex::new(r"([ \[:])(\d+)(s|m|h|d)\b").unwrap();
        let faster = |found: &Captures<'_>| {
            let unit = match &found[3] {
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                _ => 86_400_000,
            };
            format!("{}{}ms", &found[1], found[2].parse::<u64>().unwrap() * unit / SPEED)
        };
        let receiver = self.address(9094).replace("127.0.0.1", "alert-receiver");
        let text = std::fs::read_to_string(from).unwrap().replace("alert-receiver:9094", &receiver);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, self.with_addresses(&duration.replace_all(&text, faster))).unwrap();
    }

    fn write_program(&self, name: &str, script: &str) {
        let program = self.path("bin").join(name);
        std::fs::create_dir_all(self.path("bin")).unwrap();
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the blocks in one shell, and returns what each has printed.
    pub(super) async fn run(&self, blocks: &[Block]) -> Vec<String> {
        let output = |index: usize| self.path(&format!("output-{index}"));
        let block = |(index, block): (usize, &Block)| {
            format!("{{\n{}}} > {} 2>&1 < /dev/null\n", block.commands, output(index).display())
        };
        let script: String = blocks.iter().enumerate().map(block).collect();
        let scratch = self.path("scratch").display().to_string();
        std::fs::write(self.path("script"), self.with_addresses(&script).replace("/tmp/walk", &scratch))
            .unwrap();

        let receiver = self.address(9094);
        let folder = self.folder.path().display();
        let path = format!("{folder}/bin:{}", test_variable("PATH"));
        let environment = [("PATH", &*path), ("LC_ALL", "C.UTF-8"), ("GLASSHOUSE_RECEIVER_ADDR", receiver)];
        let mut command = Command::new("bash");
        // What it starts in the background is in its group, and ends with it.
        command.args(["-c", &format!("cd {folder} && set -u && . ./script")]).process_group(0);
        let shell = Shell(Process::spawn(&mut command, &settings(environment)));
        let ended = tokio::time::timeout(TIMEOUT, shell.ends()).await;
        let printed = |index| std::fs::read_to_string(output(index)).unwrap_or_default();
        let printed: Vec<_> = (0..blocks.len()).map(printed).collect();
        assert!(ended.is_ok(), "the commands do not end; printed so far: {printed:#?}");
        printed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address in place of this port of the page.
    fn address(&self, on_page: u16) -> &str {
        &self.addresses.iter().find(|(port, _)| *port == on_page).unwrap().1
    }

    /// The text with the addresses that there are in place of those of the page.
    fn with_addresses(&self, text: &str) -> String {
        self.addresses.iter().fold(text.to_owned(), |text, (port, address)| {
            let on_page = Regex::new(&format!(r"\b(localhost|127\.0\.0\.1):{port}\b")).unwrap();
            on_page.replace_all(&text, address.as_str()).into_owned()
        })
    }
}

/// A shell with all that it has started. Dropping it ends them.
struct Shell(Process);

impl Shell {
    async fn ends(mut self) {
        while !self.0.has_ended() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).output();
    }
}
