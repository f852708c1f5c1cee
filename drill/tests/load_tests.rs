//! The load tests are valid for the k6 that runs them, and its summary says what happened. The tests need k6: `make drills`
//! installs it.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use glasshouse_drill::project::{Project, files};
use glasshouse_drill::stack::find_program;
use serde_json::{Value, json};

fn project() -> Project {
    Project::read(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap()
}

fn k6(arguments: &[&str]) -> Output {
    let k6 = find_program(&["k6"]).unwrap();
    Command::new(k6).args(arguments).current_dir(project().root()).output().unwrap()
}

fn shown(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

#[test]
fn k6_accepts_every_script() {
    for script in files(&project().scenarios(), "js").unwrap() {
        let output = k6(&["inspect", "--execution-requirements", script.to_str().unwrap()]);
        assert!(output.status.success(), "{}:\n{}", script.display(), shown(&output));
    }
}

#[test]
fn the_summary_of_a_run_is_right() {
    let output = k6(&["run", "--no-color", "load-tests/tests/summary.js"]);
    assert!(output.status.success(), "{}", shown(&output));
}

/// A service that accepts logins and shows products, and fails otherwise.
async fn start_stub() -> SocketAddr {
    async fn answer(request: HttpRequest) -> HttpResponse {
        let product = json!({ "id": "p", "price_minor": 500, "stock": 9 });
        match (request.method().as_str(), request.path()) {
            ("POST", "/v1/auth/login") => {
                HttpResponse::Ok().json(json!({ "access_token": "t", "expires_in": 3600 }))
            }
            ("POST", "/v1/tenants" | "/v1/users" | "/v1/products") => HttpResponse::Created().json(product),
            ("GET", "/v1/products") => HttpResponse::Ok().json(json!({ "items": [product] })),
            _ => HttpResponse::InternalServerError().finish(),
        }
    }
    let server = HttpServer::new(|| App::new().default_service(web::to(answer))).workers(1).disable_signals();
    let server = server.bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

/// Runs the smoke test; returns its exit code and its output.
async fn smoke(service: SocketAddr, results: &Path) -> (Option<i32>, String) {
    let (root, results) = (project().root().to_owned(), results.to_owned());
    let run = move || {
        let mut command = Command::new(find_program(&["k6"]).unwrap());
        command.args(["run", "--no-color", "--quiet", "load-tests/scenarios/smoke.js"]).current_dir(root);
        command
            .env("BASE_URL", format!("http://{service}"))
            .env("RESULTS_DIR", results)
            .env("DURATION", "3s");
        command.output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    (output.status.code(), shown(&output))
}

#[tokio::test]
async fn a_run_leaves_a_page_and_results_that_the_next_one_is_compared_with() {
    let (service, folder) = (start_stub().await, tempfile::tempdir().unwrap());
    let (code, output) = smoke(service, folder.path()).await;
    assert_eq!(code, Some(99), "{output}");
    assert!(output.contains("There is no earlier run to compare with"), "{output}");
    assert!(output.contains("alert HighErrorRate, runbook docs/runbooks/high-error-rate.md"), "{output}");

    let results = std::fs::read_to_string(folder.path().join("smoke.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    let (count, failed) =
        (results["requests"]["count"].as_u64().unwrap(), results["requests"]["failed"].as_u64().unwrap());
    assert!(failed > 0 && failed < count && results["passed"] == false, "{results:#}");
    let parts = results["parts"].as_array().unwrap();
    let of_journeys = parts.iter().filter(|part| part["kind"] == "journey");
    assert_eq!(of_journeys.map(|part| part["requests"].as_u64().unwrap()).sum::<u64>(), count);

    let checks = results["checks"].as_array().unwrap();
    let has_failed =
        |check: &&Value| check["name"] == "GET /v1/products/{id}" && check["fails"].as_u64().unwrap() > 0;
    assert!(checks.iter().any(|check| has_failed(&check)), "{checks:?}");
    assert!(output.contains("Failed checks"), "{output}");

    let page = std::fs::read_to_string(folder.path().join("smoke.html")).unwrap();
    let share = format!("% ({failed} of {count})");
    assert!(page.contains("smoke: FAILED") && page.contains(&share) && output.contains(&share), "{output}");

    let (_, output) = smoke(service, folder.path()).await;
    assert!(output.contains("Compared with the last run") && output.contains(&share), "{output}");
}

#[tokio::test]
async fn a_run_whose_setup_fails_has_not_passed() {
    let folder = tempfile::tempdir().unwrap();
    let (code, output) = smoke("127.0.0.1:1".parse().unwrap(), folder.path()).await;
    assert_ne!(code, Some(0), "{output}");
    assert!(output.contains("smoke: FAILED, no request was sent after the setup"), "{output}");
    assert!(!folder.path().join("smoke.json").exists(), "there is nothing to compare with");
}
