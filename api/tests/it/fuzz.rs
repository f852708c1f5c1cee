//! Random bodies never cause a 5xx.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};

use crate::support::{Backend, Playground, on_both};

on_both!(no_body_causes_a_server_error);

/// Names of real fields, so that random bodies pass the first check.
const KEYS: [&str; 14] = [
    "slug",
    "name",
    "plan",
    "owner",
    "email",
    "password",
    "tenant",
    "role",
    "active",
    "sku",
    "price_minor",
    "currency",
    "delta",
    "items",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop_oneof![proptest::sample::select(&KEYS[..]).prop_map(str::to_owned), any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// A valid body with one field replaced.
fn changed(valid: &Value, field: usize, value: Value) -> Value {
    let mut body = valid.clone();
    let fields = body.as_object_mut().unwrap();
    let name = fields.keys().nth(field % fields.len()).unwrap().clone();
    fields.insert(name, value);
    body
}

async fn no_body_causes_a_server_error(backend: Backend) {
    let play = Playground::new(backend).await;
    let mut runner = TestRunner::deterministic();
    for round in 0..60 {
        let value = any_json().new_tree(&mut runner).unwrap().current();
        for (operation, valid) in play.bodies() {
            for body in [value.clone(), changed(&valid, round, value.clone())] {
                let response = play.send(operation, body.to_string()).await;
                assert!(!response.status.is_server_error(), "{operation}: {body}: {}", response.body);
            }
        }
    }
}
