//! Logins, each of which needs memory and time for a password hash.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;

use super::repeat_until;
use crate::service::Service;

pub(super) async fn parallel(service: &Service, end: Instant) {
    let client = Client::new();
    repeat_until(end, 600, async |n| log_in(service, &client, n).await).await;
}

pub(super) async fn many(service: &Service) {
    let (client, count) = (Client::new(), AtomicUsize::new(0));
    let end = Instant::now() + Duration::from_secs(300);
    let logins = repeat_until(end, 4, async |_| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        if n >= 1000 { std::future::pending().await } else { log_in(service, &client, n).await }
    });
    tokio::select! {
        () = logins => {}
        () = async { while count.load(Ordering::Relaxed) < 1004 { tokio::time::sleep(Duration::from_millis(50)).await; } } => {}
    }
}

/// A login of one of many addresses, with a wrong password.
async fn log_in(service: &Service, client: &Client, n: usize) -> reqwest::Result<()> {
    let email = format!("user-{n}@acme.example");
    let login = json!({ "tenant": "acme", "email": email, "password": "a wrong password" });
    client.post(service.url("/v1/auth/login")).json(&login).send().await?;
    Ok(())
}
