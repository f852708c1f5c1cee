//! The alerts of a Prometheus.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Demo, free_address};
use crate::support::{Backend, Process, Settings, TestApp, eventually};

/// The rules of the stack, evaluated by a real Prometheus that scrapes the demo as `deploy/prometheus/demo.yml` says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_are_those_of_prometheus() {
    let none = TestApp::start(Backend::Embedded).await.management().get("/console/alerts").await.expect(200);
    assert_eq!(none, json!({ "prometheus": null, "alerts": [] }));

    let management = free_address();
    let demo_config = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/prometheus/demo.yml");
    let config = std::fs::read_to_string(demo_config).unwrap();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/prometheus/rules/*.yml");
    let config =
        config.replace("127.0.0.1:9000", &management).replace("rules/*.yml", rules).replace(": 5s", ": 1s");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let address = free_address();
    let mut command = std::process::Command::new("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
    command.arg(format!("--web.listen-address={address}"));
    let _prometheus = Process::spawn(&mut command, &Settings::new());

    let url = format!("http://{address}");
    let demo = Demo::start(
        &["demo", "--traffic"],
        &[("GLASSHOUSE_PROMETHEUS_URL", &url), ("GLASSHOUSE_MANAGEMENT_ADDR", &management)],
    )
    .await;
    let of = |alerts: &Value, name: &str| {
        alerts["alerts"].as_array()?.iter().find(|alert| alert["name"] == name).cloned()
    };
    let alert = eventually("Prometheus has the rules", async || {
        of(&demo.management.get("/console/alerts").await.expect(200), "HighErrorRate")
    })
    .await;
    assert_eq!((&alert["runbook"], &alert["severity"]), (&json!("high-error-rate"), &json!("critical")));
    assert_eq!(alert["dashboard_url"], Value::Null, "its link is a template until it is active");
    let fault = json!({ "errors": { "share": 0.5, "seconds": 120 } });
    demo.management.send(Method::PUT, "/faults", Some(fault)).await.expect(200);
    let pending = eventually("the fault raises its alert", async || {
        let alert = of(&demo.management.get("/console/alerts").await.expect(200), "HighErrorRate")?;
        (alert["state"] != "inactive").then_some(alert)
    })
    .await;
    assert!(pending["active"][0]["summary"].as_str().unwrap().contains("glasshouse-api"), "{pending}");
    let dashboard = "http://localhost:3000/d/glasshouse-overview?var-job=glasshouse-api&from=now-1h&to=now";
    assert_eq!(pending["dashboard_url"], dashboard);
    let page = reqwest::get(pending["prometheus_url"].as_str().unwrap()).await.unwrap();
    assert!(page.status().is_success(), "the expression is a page of Prometheus");
}

/// A Prometheus that does not respond is named, and no password of its address.
#[tokio::test]
async fn an_unavailable_prometheus_is_reported() {
    let nowhere = format!("http://operator:hunter2@{}", free_address());
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_PROMETHEUS_URL", &nowhere)]).await;
    let alerts = app.management().get("/console/alerts").await.expect(200);
    assert!(!alerts["error"].as_str().unwrap().is_empty(), "{alerts}");
    assert_eq!(alerts["alerts"], json!([]));
    for path in ["/console/alerts", "/console/process"] {
        let text = app.management().get(path).await.expect(200).to_string();
        assert!(!text.contains("hunter2") && !text.contains("operator"), "{path}: {text}");
    }
}
