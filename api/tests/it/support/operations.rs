//! The operations of the OpenAPI document. Tests compare their tables with it, so that no test misses a new
//! endpoint.

use std::collections::{BTreeMap, BTreeSet};

use glasshouse_api::http::public::docs::openapi;
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
