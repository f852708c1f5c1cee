//! Schemathesis: generated requests, valid ones and others. Every response must be as the OpenAPI document describes.

use std::path::Path;
use std::process::Command;

use crate::support::{Backend, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: run `make schemathesis`"]
async fn all_checks_pass_on_sqlite() {
    all_checks_pass(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: run `make schemathesis`"]
async fn all_checks_pass_on_postgres_and_redis() {
    all_checks_pass(Backend::Servers).await;
}

#[expect(clippy::print_stdout, reason = "shows the summary of the run")]
async fn all_checks_pass(backend: Backend) {
    let app = TestApp::start(backend).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let program = root.join("target/check-tools/bin/schemathesis");
    assert!(program.is_file(), "first run `scripts/install-check-tools target/check-tools`");
    let mut command = Command::new(program);
    command
        .args(["run", &format!("http://{}/openapi.json", app.addresses.http.unwrap()), "--checks", "all"])
        // Schemathesis finds its configuration and our hooks in the current folder.
        .current_dir(root.join("api/tests/schemathesis"));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{backend:?}\n{stdout}");
    assert!(output.status.success(), "{stdout}\n{stderr}");
}
