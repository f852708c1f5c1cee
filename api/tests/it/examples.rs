//! The examples of the OpenAPI document work in the demo, as they are.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::console::Demo;
use crate::support::{Client, Response, eventually, operations};

/// The operations with an example of a body or of their id, in an order in which each can succeed.
const ORDER: [&str; 15] = [
    "log_in",
    "sign_up",
    "show_product",
    "place_order",
    "add_product",
    "change_product",
    "move_product_stock",
    "add_user",
    "show_user",
    "change_user",
    "request_password_reset",
    "reset_password",
    "change_password",
    "deactivate_user",
    "archive_product",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_succeeds_in_the_demo() {
    let demo = Demo::start(&["demo"], &[]).await;
    let all: Vec<_> =
        operations().iter().filter_map(|(name, operation)| Example::of(name, operation)).collect();
    let ids: BTreeSet<_> = all.iter().map(|example| example.id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from(ORDER), "an operation with an example is missing here, or has none");

    let mut client = demo.api.clone();
    for id in ORDER {
        let mut example = all.iter().find(|example| example.id == id).unwrap().clone();
        if id == "reset_password" {
            example.body.as_mut().unwrap()["token"] = token_of_message(&demo).await.into();
        }
        let response = example.send(&client).await;
        assert!(response.status.is_success(), "{id}: {} {}", response.status, response.body);
        // A login, and after the change of a password, which ends all sessions, another one.
        if ["log_in", "change_password"].contains(&id) {
            let login = all.iter().find(|example| example.id == "log_in").unwrap().send(&demo.api).await;
            client = demo.api.clone().with_token(login.expect(200)["access_token"].as_str().unwrap());
        }
    }
}

/// The request that the examples of an operation are.
#[derive(Clone)]
struct Example {
    id: String,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

impl Example {
    /// The examples of an operation; `None` if it has neither a body nor an example of a part of its path.
    fn of(name: &str, operation: &Value) -> Option<Self> {
        let (method, path) = name.split_once(' ').unwrap();
        let in_path = parameters(operation, "path");
        let fill =
            |path: String, (name, value): &(String, String)| path.replace(&format!("{{{name}}}"), value);
        let body = operation["requestBody"].is_object().then(|| {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            assert!(example.is_object(), "the body of {name} has no example");
            example.clone()
        });
        let has_example = body.is_some() || !in_path.is_empty();
        has_example.then(|| Self {
            id: operation["operationId"].as_str().unwrap().to_owned(),
            method: method.parse().unwrap(),
            path: in_path.iter().fold(path.to_owned(), fill),
            headers: parameters(operation, "header"),
            body,
        })
    }

    async fn send(&self, client: &Client) -> Response {
        let mut request = client.request(self.method.clone(), &self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        Response::of(request).await
    }
}

/// The parameters of this place that have an example.
fn parameters(operation: &Value, place: &str) -> Vec<(String, String)> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let here = all.filter(|parameter| parameter["in"] == *place);
    let example = |parameter: &Value| {
        let name = parameter["name"].as_str().unwrap().to_owned();
        Some((name, parameter["example"].as_str()?.to_owned()))
    };
    here.filter_map(example).collect()
}

/// The token in the message that the demo has sent.
async fn token_of_message(demo: &Demo) -> String {
    let folder = demo.data.path().join("mail");
    eventually("the message is delivered", async || {
        let mut files = std::fs::read_dir(&folder).ok()?.map(|entry| entry.unwrap().file_name());
        let message = files.find(|name| !name.to_string_lossy().starts_with('.'))?;
        let text = std::fs::read_to_string(folder.join(message)).unwrap();
        text.lines().last().map(|token| token.trim().to_owned())
    })
    .await
}
