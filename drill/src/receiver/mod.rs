//! A webhook receiver for Alertmanager that people can look at, and in which a drill sees what was delivered.

mod api;
mod deliveries;
mod page;

use std::net::SocketAddr;

use actix_web::dev::ServerHandle;
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};

pub use api::{Delivered, ReceiverApi};
use deliveries::Deliveries;
pub use deliveries::{Delivery, Notification, Status};

/// The largest notification that is accepted.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A receiver that listens. Dropping it does not end it: `stop` does, or the end of the process.
pub struct Receiver {
    address: SocketAddr,
    server: ServerHandle,
}

impl Receiver {
    /// Listens on this address.
    pub async fn start(address: SocketAddr) -> Result<Self> {
        let deliveries = web::Data::new(Deliveries::default());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(deliveries.clone())
                .app_data(web::JsonConfig::default().limit(MAX_BODY_BYTES))
                .route("/", web::get().to(show))
                .route("/deliveries", web::get().to(list))
                .route("/webhook", web::post().to(receive))
                .route("/health/ready", web::get().to(ready))
        });
        let server = server.workers(1).disable_signals().shutdown_timeout(1).bind(address);
        let server = server.with_context(|| format!("the receiver cannot listen on {address}"))?;
        let address = *server.addrs().first().context("the receiver has no address")?;
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { address, server: handle })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening.
    pub async fn stop(&self) {
        self.server.stop(true).await;
    }
}

async fn receive(deliveries: web::Data<Deliveries>, notification: web::Json<Notification>) -> HttpResponse {
    deliveries.add(notification.into_inner());
    HttpResponse::NoContent().finish()
}

async fn show(deliveries: web::Data<Deliveries>) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::html()).body(page::render(&deliveries.newest_first()))
}

async fn list(deliveries: web::Data<Deliveries>) -> HttpResponse {
    HttpResponse::Ok().json(deliveries.newest_first())
}

/// For `glasshouse check-health`, which asks for this path. Whoever gets this answer could deliver as well.
async fn ready() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn what_is_delivered_can_be_seen_and_read() {
        let receiver = Receiver::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = |path: &str| format!("http://{}{path}", receiver.address());
        let http = reqwest::Client::new();
        let body = json!({
            "version": "4",
            "alerts": [{
                "status": "firing",
                "labels": { "alertname": "HighErrorRate", "severity": "critical", "service": "glasshouse-api" },
                "annotations": { "summary": "5xx <b>rise</b>", "runbook_url": "https://example.org/r?a=1&b=2" },
                "startsAt": "2026-11-23T06:00:00.123Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": "f1",
            }],
        });
        let answer = http.post(url("/webhook")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(http.post(url("/webhook")).body("{}").send().await.unwrap().status(), 400);
        assert_eq!(http.get(url("/health/ready")).send().await.unwrap().status(), 200);

        let listed: Value = http.get(url("/deliveries")).send().await.unwrap().json().await.unwrap();
        assert_eq!(listed[0]["alert"], "HighErrorRate");
        assert_eq!(listed[0]["status"], "firing");
        let page = http.get(url("/")).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("5xx &lt;b&gt;rise&lt;/b&gt;"), "{page}");
        assert!(page.contains("href=\"https://example.org/r?a=1&amp;b=2\""), "{page}");

        receiver.stop().await;
        assert!(http.get(url("/")).send().await.is_err());
    }
}
