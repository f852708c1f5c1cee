//! The operations of the OpenAPI document. Tests compare their tables with it, so that no test misses a new
//! endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use glasshouse_api::http::public::docs::openapi;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Every operation, such as `PATCH /v1/users/{id}`, with its description.
pub(crate) fn operations() -> BTreeMap<String, Value> {
    let document = serde_json::to_value(openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods
            .into_iter()
            .map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

/// Asserts that the operation of a request, if there is one, documents this status.
#[track_caller]
pub(crate) fn assert_documented(method: &Method, path: &str, status: StatusCode) {
    static OPERATIONS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(operations);
    let segments = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let is_path = |pattern: &str| {
        let (pattern, path) = (segments(pattern), segments(path));
        let mut pairs = pattern.iter().zip(&path);
        pattern.len() == path.len()
            && pairs.all(|(pattern, segment)| pattern == segment || pattern.starts_with('{'))
    };
    let is_requested = |name: &str| {
        name.split_once(' ').is_some_and(|(verb, path)| verb == method.as_str() && is_path(path))
    };
    let described: Vec<_> = OPERATIONS.iter().filter(|(name, _)| is_requested(name)).collect();
    let is_documented =
        described.iter().any(|(_, operation)| operation["responses"][status.as_str()].is_object());
    // With 405, no operation was reached: the path also matches the pattern of another one, as `/users/me` does.
    let is_unreached = described.is_empty() || status == StatusCode::METHOD_NOT_ALLOWED;
    assert!(is_unreached || is_documented, "{method} {path} does not document {status}");
}

/// Asserts that a table names each of these operations exactly once.
#[track_caller]
pub(crate) fn assert_complete<'a>(
    table: impl IntoIterator<Item = &'a str>,
    wanted: impl Fn(&str, &Value) -> bool,
) {
    let all = operations();
    let wanted = all.iter().filter(|(name, operation)| wanted(name, operation));
    let wanted: BTreeSet<&str> = wanted.map(|(name, _)| name.as_str()).collect();
    let table: Vec<&str> = table.into_iter().collect();
    let unique: BTreeSet<&str> = table.iter().copied().collect();
    assert_eq!(unique, wanted, "the table and the OpenAPI document differ");
    assert_eq!(table.len(), unique.len(), "the table names an operation twice");
}

/// The required fields of an operation's body.
pub(crate) fn required_fields(operation: &str) -> Vec<String> {
    let document = serde_json::to_value(openapi()).unwrap();
    let schema = &operations()[operation]["requestBody"]["content"]["application/json"]["schema"];
    let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    let required =
        document["components"]["schemas"][name]["required"].as_array().cloned().unwrap_or_default();
    required.iter().map(|field| field.as_str().unwrap().to_owned()).collect()
}
