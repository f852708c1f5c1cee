//! The OpenAPI document: current, complete, and served.

use std::collections::BTreeSet;

use glasshouse_api::http::public::docs;
use serde_json::Value;

use crate::support::{Backend, Process, Settings, TestApp};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

/// Path, method and description of every operation.
fn operations() -> Vec<(String, String, Value)> {
    let openapi = serde_json::to_value(docs::openapi()).unwrap();
    let paths = openapi["paths"].as_object().unwrap();
    let of_path = |(path, operations): (&String, &Value)| {
        let operations = operations.as_object().unwrap().clone();
        let path = path.clone();
        operations.into_iter().map(move |(method, operation)| (path.clone(), method, operation))
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn the_committed_document_is_current() {
    let committed = std::fs::read_to_string(COMMITTED).unwrap();
    let ended = Process::run(&["openapi"], &Settings::new()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout == committed, "api/openapi.json is not current: run `make openapi`");
}

#[test]
fn every_operation_is_described() {
    let operations = operations();
    assert!(operations.len() >= 21, "{}", operations.len());
    let mut ids = BTreeSet::new();
    for (path, method, operation) in &operations {
        let name = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}: operationId is not unique");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{name}");
    }
}

#[test]
fn every_operation_documents_its_errors_as_problem_documents() {
    for (path, method, operation) in operations() {
        let name = format!("{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        let mut expected = vec!["503"];
        if operation.get("security").is_some() {
            expected.extend(["401", "429"]);
        } else {
            // Every public operation validates its input.
            assert!(responses.keys().any(|status| status.starts_with('4')), "{name}");
        }
        if path.contains('{') {
            expected.push("404");
        }
        for status in expected {
            assert!(responses.contains_key(status), "{name} has no {status}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/ProblemBody", "{name} {status}");
        }
    }
}

#[tokio::test]
async fn the_document_and_the_swagger_ui_are_served() {
    let app = TestApp::start(Backend::Embedded).await;
    let served = app.anonymous().get("/openapi.json").await.expect(200);
    assert_eq!(served, serde_json::to_value(docs::openapi()).unwrap());
    for path in ["/docs", "/docs/"] {
        let page = app.anonymous().get(path).await.expect(200);
        assert!(page.as_str().unwrap().contains("<title>Swagger UI</title>"), "{page}");
    }
}
