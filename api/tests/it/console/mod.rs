//! The console: its page, its data, and who may see them.

mod alerts;
mod browser;
mod demo;
mod numbers;
mod page;
mod page_states;
mod traces;

use reqwest::Method;
use serde_json::Value;

use crate::command_line::{common, with};
use crate::support::{Client, Events, Process, Response, eventually};

/// The routes of the console with a body that they accept.
const ROUTES: [(&str, &str, Option<&str>); 14] = [
    ("GET", "/", None),
    ("GET", "/console/style.css", None),
    ("GET", "/console/events", None),
    ("GET", "/console/process", None),
    ("GET", "/console/traffic", None),
    ("GET", "/console/traces/0af7651916cd43dd8448eb211c80319c", None),
    ("GET", "/console/alerts", None),
    ("GET", "/console/runbooks/high-error-rate", None),
    ("GET", "/console/gateway", None),
    ("PUT", "/console/gateway", Some(r#"{"decline_rate":1,"seconds":60}"#)),
    ("DELETE", "/console/gateway", None),
    ("POST", "/console/demo/trials", Some(r#"{"trial":"place_order"}"#)),
    ("PUT", "/console/demo/traffic", Some(r#"{"on":true}"#)),
    ("POST", "/console/demo/repetitions", Some(r#"{"operation":"GET /v1/products","seconds":1}"#)),
];

/// An address that nothing listens on.
pub(crate) fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The demo as a process of its own, whose telemetry is real.
pub(crate) struct Demo {
    pub(crate) process: Process,
    pub(crate) api: Client,
    pub(crate) management: Client,
    /// The payment-gateway simulator.
    pub(crate) gateway: Client,
    pub(crate) data: tempfile::TempDir,
}

impl Demo {
    pub(crate) async fn start(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().to_str().unwrap();
        let settings = with(&with(&common(), [("GLASSHOUSE_DATA_DIR", folder)]), settings.iter().copied());
        let mut process = Process::start(arguments, &settings);
        let api = process.client("http_addr").await;
        let management = process.client("management_addr").await;
        let gateway = process.client("gateway_addr").await;
        Self { process, api, management, gateway, data }
    }

    /// The address of the API.
    pub(crate) fn api_url(&self) -> String {
        self.api.base().to_owned()
    }

    /// The address of the management interface.
    pub(crate) fn management_url(&self) -> String {
        self.management.base().to_owned()
    }

    async fn events(&self) -> Events {
        Events::connect(self.management.request(Method::GET, "/console/events")).await
    }

    /// The trace, once it satisfies the predicate.
    async fn trace(&self, id: &str, predicate: impl Fn(&Value) -> bool) -> Value {
        eventually("the trace is complete", async || {
            let trace = self.management.get(&format!("/console/traces/{id}")).await;
            (trace.status == 200 && predicate(&trace.body)).then_some(trace.body)
        })
        .await
    }
}

/// Asserts that this is a problem document with this status and code. On the management interface it has no request id.
#[track_caller]
fn expect_code(response: Response, status: u16, code: &str) {
    assert_eq!(
        (response.status.as_u16(), response["code"].as_str()),
        (status, Some(code)),
        "{}",
        response.body
    );
    assert_eq!(response.header("content-type"), "application/problem+json");
}

fn spans(trace: &Value) -> &Vec<Value> {
    trace["spans"].as_array().unwrap()
}
