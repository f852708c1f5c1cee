//! Logins, each of which needs memory and time for a password hash.

use std::time::Instant;

use futures_util::stream::{self, StreamExt};
use reqwest::Client;
use serde_json::json;

use super::repeat_until;
use crate::service::Service;

pub(super) async fn parallel(service: &Service, end: Instant) -> usize {
    let client = Client::new();
    repeat_until(end, 600, async |n| log_in(service, &client, n).await).await
}

pub(super) async fn many(service: &Service) -> usize {
    let client = Client::new();
    let logins = stream::iter(0..1000).map(|n| log_in(service, &client, n));
    logins.buffer_unordered(4).count().await
}

/// A login of one of many addresses, with a wrong password.
async fn log_in(service: &Service, client: &Client, n: usize) -> reqwest::Result<()> {
    let email = format!("user-{n}@acme.example");
    let login = json!({ "tenant": "acme", "email": email, "password": "a wrong password" });
    client.post(service.url("/v1/auth/login")).json(&login).send().await?;
    Ok(())
}
