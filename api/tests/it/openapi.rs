//! The OpenAPI document: current, complete, and served.

use std::collections::BTreeSet;

use glasshouse_api::http::public::docs;
use serde_json::{Value, json};

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
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let has = |field: &str, value: &str| parameters.iter().any(|parameter| parameter[field] == value);
        let mut expected = vec!["401", "406", "429", "500", "503"];
        if operation["requestBody"].is_object() {
            expected.extend(["400", "408", "413", "415", "422"]);
        }
        if has("in", "path") {
            expected.extend(["400", "404"]);
        }
        if has("in", "query") || has("name", "Idempotency-Key") {
            expected.extend(["400", "422"]);
        }
        if has("name", "If-Match") {
            expected.extend(["400", "412", "428"]);
        }
        for status in expected {
            assert!(responses.contains_key(status), "{name} has no {status}");
        }
        for (status, response) in responses {
            assert_ne!(response["description"], "", "{name} {status} has no description");
            if !status.starts_with('2') {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ProblemBody", "{name} {status}");
            }
        }
    }
}

/// The bodies whose texts are not validated: any text that belongs to no user gets the same response.
const UNVALIDATED: [&str; 2] = ["LoginBody", "PasswordResetRequestBody"];

/// The values in a schema that have no limit.
fn unlimited(document: &Value, schema: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        let referenced = &document["components"]["schemas"][name];
        return if UNVALIDATED.contains(&name) { vec![] } else { unlimited(document, referenced, at) };
    }
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| schema.get(keyword).is_some());
    let is = |name: &str| {
        schema["type"] == name || schema["type"].as_array().is_some_and(|all| all.contains(&json!(name)))
    };
    let mut found = Vec::new();
    for alternative in schema["oneOf"].as_array().into_iter().flatten() {
        found.extend(unlimited(document, alternative, at));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(unlimited(document, property, &format!("{at}/{name}")));
    }
    if schema["items"].is_object() {
        found.extend(unlimited(document, &schema["items"], &format!("{at}/*")));
    }
    let is_limited = (!is("string") || has(&["maxLength", "enum", "format", "pattern"]))
        && (!is("integer") || has(&["minimum"]) && has(&["maximum"]))
        && (!is("array") || has(&["minItems"]) && has(&["maxItems"]))
        && (!is("object") || schema["additionalProperties"] == false);
    found.extend((!is_limited).then(|| at.to_owned()));
    found
}

#[test]
fn every_value_of_a_request_is_limited() {
    let document = serde_json::to_value(docs::openapi()).unwrap();
    for (path, method, operation) in operations() {
        let name = format!("{method} {path}");
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(unlimited(&document, body, "body"), [""; 0], "{name}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let at = parameter["name"].as_str().unwrap();
            assert_eq!(unlimited(&document, &parameter["schema"], at), [""; 0], "{name}");
        }
    }
}

#[test]
fn links_lead_from_and_to_operations_that_exist() {
    let operations = operations();
    let named = |id: &Value| operations.iter().find(|(_, _, operation)| operation["operationId"] == *id);
    let mut count = 0;
    for (path, method, operation) in &operations {
        for response in operation["responses"].as_object().unwrap().values() {
            for link in response["links"].as_object().into_iter().flat_map(|links| links.values()) {
                let (_, _, target) =
                    named(&link["operationId"]).unwrap_or_else(|| panic!("{method} {path}: {link}"));
                let parameters = target["parameters"].as_array().unwrap();
                for parameter in link["parameters"].as_object().unwrap().keys() {
                    assert!(
                        parameters.iter().any(|known| known["name"] == *parameter),
                        "{method} {path}: {link}"
                    );
                }
                count += 1;
            }
        }
    }
    assert!(count >= 15, "{count}");
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
