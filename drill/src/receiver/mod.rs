//! A webhook receiver for Alertmanager. It shows the delivered alerts to people as a page, and to drills as JSON.

mod api;
mod page;
mod store;

use std::net::SocketAddr;

use actix_web::dev::ServerHandle;
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};

pub use api::{Deliveries, ReceiverApi};
use store::DeliveryStore;
pub use store::{AlertStatus, Delivery, Notification};

/// The maximum size of a notification.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A running receiver. Dropping it does not stop it; [`stop`](Self::stop) or the end of the process does.
pub struct Receiver {
    address: SocketAddr,
    server: ServerHandle,
}

impl Receiver {
    /// Starts listening.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(address: SocketAddr) -> Result<Self> {
        let store = web::Data::new(DeliveryStore::default());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(store.clone())
                .app_data(web::JsonConfig::default().limit(MAX_BODY_BYTES))
                .route("/", web::get().to(show_page))
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

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening.
    pub async fn stop(&self) {
        self.server.stop(true).await;
    }
}

async fn receive(store: web::Data<DeliveryStore>, notification: web::Json<Notification>) -> HttpResponse {
    store.add(notification.into_inner());
    HttpResponse::NoContent().finish()
}

async fn show_page(store: web::Data<DeliveryStore>) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::html()).body(page::render(&store.newest_first()))
}

async fn list(store: web::Data<DeliveryStore>) -> HttpResponse {
    HttpResponse::Ok().json(store.newest_first())
}

/// The path that `glasshouse check-health` requests.
async fn ready() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn deliveries_are_listed_as_json_and_as_a_page() {
        let receiver = Receiver::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = |path: &str| format!("http://{}{path}", receiver.address());
        let http = reqwest::Client::new();
        let body = json!({
            "version": "4",
            "alerts": [{
                "status": "firing",
                "labels": { "alertname": "HighErrorRate", "severity": "critical", "service": "glasshouse-api" },
                "annotations": { "summary": "5xx <b>rise</b>", "runbook_url": "https://example.org/r?a=1&b=2",
                    "dashboard_url": "https://example.org/d/overview?var-service=api" },
                "startsAt": "2026-11-23T06:00:00.123Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": "f1",
            }],
        });
        let response = http.post(url("/webhook")).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 204);
        assert_eq!(http.post(url("/webhook")).body("{}").send().await.unwrap().status(), 400);
        assert_eq!(http.get(url("/health/ready")).send().await.unwrap().status(), 200);

        let listed: Value = http.get(url("/deliveries")).send().await.unwrap().json().await.unwrap();
        assert_eq!(listed[0]["alert"], "HighErrorRate");
        assert_eq!(listed[0]["status"], "firing");
        let page = http.get(url("/")).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("5xx &lt;b&gt;rise&lt;/b&gt;"), "{page}");
        for link in ["r?a=1&amp;b=2", "d/overview?var-service=api"] {
            assert!(page.contains(&format!("href=\"https://example.org/{link}\"")), "{page}");
        }

        receiver.stop().await;
        assert!(http.get(url("/")).send().await.is_err());
    }
}
