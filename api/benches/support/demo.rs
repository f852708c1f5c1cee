//! A demo as a process of its own.

#[path = "memory.rs"]
mod memory;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// A running demo with the settings of production, on free ports.
pub(crate) struct Demo {
    process: Child,
    /// The address of the public interface.
    pub(crate) address: SocketAddr,
    /// The address of the management interface.
    pub(crate) management: SocketAddr,
    _data: tempfile::TempDir,
}

impl Demo {
    /// Starts it with further settings, and with a limit of open descriptors, if there is one.
    pub(crate) fn start(descriptors: Option<u32>, settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        let limit = descriptors.map_or_else(String::new, |limit| format!("ulimit -n {limit} && "));
        command.args(["-c", &format!("{limit}exec \"$0\" demo"), env!("CARGO_BIN_EXE_glasshouse")]);
        command.env_clear().env("GLASSHOUSE_DATA_DIR", data.path()).envs([
            ("GLASSHOUSE_HTTP_ADDR", "127.0.0.1:0"),
            ("GLASSHOUSE_MANAGEMENT_ADDR", "127.0.0.1:0"),
            ("GLASSHOUSE_GATEWAY_ADDR", "127.0.0.1:0"),
            ("GLASSHOUSE_LOG_FORMAT", "json"),
            ("GLASSHOUSE_CONSOLE", "false"),
        ]);
        command.envs(settings.iter().copied());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let started = started(process.stdout.take().unwrap());
        let address = |field: &str| started[field].as_str().unwrap().parse().unwrap();
        let (address, management) = (address("http_addr"), address("management_addr"));
        Self { process, address, management, _data: data }
    }

    /// The resident memory, in MiB.
    pub(crate) fn memory(&self) -> u64 {
        memory::resident(self.process.id())
    }

    /// The largest resident memory since the last reset, in MiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        memory::peak(self.process.id())
    }

    /// Begins to measure the peak anew.
    pub(crate) fn reset_peak_memory(&self) {
        memory::reset_peak(self.process.id());
    }

    /// The URL of a path of the public interface.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The token of a user of a tenant.
    pub(crate) async fn log_in(&self, tenant: &str, email: &str, password: &str) -> String {
        let login = json!({ "tenant": tenant, "email": email, "password": password });
        let response = Client::new().post(self.url("/v1/auth/login")).json(&login).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "login of {email}");
        response.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads log records until `application_started`, and discards the others in the background.
fn started(stdout: impl std::io::Read + Send + 'static) -> Value {
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let records = lines.by_ref().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let started = records.into_iter().find(|record| record["message"] == "application_started");
    std::thread::spawn(move || lines.for_each(drop));
    started.expect("the service starts")
}
