//! Requests that are cheap to send.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};

use super::repeat_until;
use crate::service::Service;

const EMAIL: &str = "leaver@acme.example";
const PASSWORD: &str = "a password of a leaver";

pub(super) async fn swagger_ui(service: &Service, end: Instant) -> usize {
    let client = Client::new();
    repeat_until(end, 200, async |_| {
        let request = client.get(service.url("/docs/swagger-ui-bundle.js")).header("Accept-Encoding", "gzip");
        request.send().await?.bytes().await
    })
    .await
}

pub(super) async fn readiness(service: &Service, end: Instant) -> usize {
    let client = Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    repeat_until(end, 3000, async |_| client.get(service.url("/health/ready")).send().await).await
}

pub(super) async fn deactivate_a_user(service: &Service) {
    let client = Client::new();
    let owner = service.log_in("acme", "owner@acme.example", "demo-password").await;
    let user = json!({ "email": EMAIL, "password": PASSWORD, "role": "member" });
    let added = client.post(service.url("/v1/users")).bearer_auth(&owner).json(&user).send().await.unwrap();
    let etag = added.headers().get("etag").cloned();
    let user: Value = added.error_for_status().unwrap().json().await.unwrap();
    let token = service.log_in("acme", EMAIL, PASSWORD).await;
    service.keep_token(token);
    let url = service.url(&format!("/v1/users/{}", user["id"].as_str().unwrap()));
    let request = client.delete(url).bearer_auth(&owner);
    let request = etag.into_iter().fold(request, |request, etag| request.header("If-Match", etag));
    request.send().await.unwrap().error_for_status().unwrap();
}

pub(super) async fn deactivated_user(service: &Service, end: Instant) -> usize {
    let client = Client::new();
    repeat_until(end, 40, async |_| {
        client.get(service.url("/v1/users/me")).bearer_auth(service.kept_token()).send().await
    })
    .await
}
