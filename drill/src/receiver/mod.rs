//! A webhook receiver for Alertmanager. It shows the delivered alerts and their runbooks to people as pages, and the alerts to drills as
//! JSON. It is the dead man's switch of the alert that always fires.

mod api;
mod page;
mod runbooks;
mod store;
mod switch;

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use tokio::task::JoinHandle;

pub use api::{Deliveries, ReceiverApi};
pub use runbooks::Runbooks;
use store::DeliveryStore;
pub use store::{AlertStatus, Delivery, Notification};
use switch::DeadMansSwitch;
pub use switch::{DEFAULT_TIMEOUT, Heartbeat};

/// What the links of alerts begin with where there is no Grafana: a name that never resolves (RFC 2606 §2).
pub(crate) const NOWHERE: &str = "http://grafana.example";

/// The maximum size of a notification.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A running receiver. Dropping it does not stop it; [`stop`](Self::stop) or the end of the process does.
pub struct Receiver {
    address: SocketAddr,
    store: web::Data<DeliveryStore>,
    switch: web::Data<DeadMansSwitch>,
    runbooks: web::Data<Runbooks>,
    server: ServerHandle,
    watch: JoinHandle<()>,
}

impl Receiver {
    /// Starts listening. The alert that always fires may stay away for `heartbeat_timeout`. The runbooks are those of the alerts.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(address: SocketAddr, heartbeat_timeout: Duration, runbooks: Runbooks) -> Result<Self> {
        let store = web::Data::new(DeliveryStore::default());
        let switch = web::Data::new(DeadMansSwitch::new(heartbeat_timeout));
        Self::start_with(address, store, switch, web::Data::new(runbooks))
    }

    fn start_with(
        address: SocketAddr,
        store: web::Data<DeliveryStore>,
        switch: web::Data<DeadMansSwitch>,
        runbooks: web::Data<Runbooks>,
    ) -> Result<Self> {
        let data = (store.clone(), switch.clone(), runbooks.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.0.clone())
                .app_data(data.1.clone())
                .app_data(data.2.clone())
                .app_data(web::JsonConfig::default().limit(MAX_BODY_BYTES))
                .route("/", web::get().to(show_page))
                .route("/deliveries", web::get().to(list))
                .route("/webhook", web::post().to(receive))
                .route("/heartbeat", web::post().to(beat))
                .route("/heartbeat", web::get().to(heartbeat))
                .route("/runbooks/{name}", web::get().to(show_runbook))
                .route("/health/ready", web::get().to(ready))
        });
        let server = server.workers(1).disable_signals().shutdown_timeout(1).bind(address);
        let server = server.with_context(|| format!("the receiver cannot listen on {address}"))?;
        let address = *server.addrs().first().context("the receiver has no address")?;
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        let watch = tokio::spawn(watch(store.clone(), switch.clone()));
        Ok(Self { address, store, switch, runbooks, server: handle, watch })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening.
    pub async fn stop(&self) {
        self.watch.abort();
        self.server.stop(true).await;
    }

    /// Listens again after [`stop`](Self::stop), with the deliveries of before.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn restart(&mut self) -> Result<()> {
        *self =
            Self::start_with(self.address, self.store.clone(), self.switch.clone(), self.runbooks.clone())?;
        Ok(())
    }
}

/// Raises the alarm of the dead man's switch.
async fn watch(store: web::Data<DeliveryStore>, switch: web::Data<DeadMansSwitch>) {
    let mut interval = tokio::time::interval((switch.timeout() / 20).max(Duration::from_millis(10)));
    loop {
        interval.tick().await;
        store.extend(switch.alarm());
    }
}

async fn receive(store: web::Data<DeliveryStore>, notification: web::Json<Notification>) -> HttpResponse {
    store.add(notification.into_inner());
    HttpResponse::NoContent().finish()
}

async fn beat(
    store: web::Data<DeliveryStore>,
    switch: web::Data<DeadMansSwitch>,
    notification: web::Json<Notification>,
) -> HttpResponse {
    store.extend(switch.beat(notification.into_inner()));
    HttpResponse::NoContent().finish()
}

async fn heartbeat(switch: web::Data<DeadMansSwitch>) -> HttpResponse {
    HttpResponse::Ok().json(switch.heartbeat())
}

async fn show_page(
    store: web::Data<DeliveryStore>,
    switch: web::Data<DeadMansSwitch>,
    runbooks: web::Data<Runbooks>,
) -> HttpResponse {
    let page = page::render(&store.newest_first(), &switch.heartbeat(), &runbooks);
    HttpResponse::Ok().content_type(ContentType::html()).body(page)
}

async fn list(store: web::Data<DeliveryStore>) -> HttpResponse {
    HttpResponse::Ok().json(store.newest_first())
}

/// A runbook, which can be read here when Grafana cannot be reached.
async fn show_runbook(runbooks: web::Data<Runbooks>, name: web::Path<String>) -> HttpResponse {
    match runbooks.page(&name) {
        Some(page) => HttpResponse::Ok().content_type(ContentType::html()).body(page),
        None => HttpResponse::NotFound().body("no such runbook: / links to those of the delivered alerts\n"),
    }
}

/// The path that `glasshouse check-health` requests.
async fn ready() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::polling::poll_until;

    #[tokio::test]
    async fn deliveries_are_listed_as_json_and_as_a_page() {
        let runbooks = Runbooks::in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runbooks").as_ref());
        let address = "127.0.0.1:0".parse().unwrap();
        let receiver = Receiver::start(address, DEFAULT_TIMEOUT, runbooks).await.unwrap();
        let url = |path: &str| format!("http://{}{path}", receiver.address());
        let http = reqwest::Client::new();
        let body = json!({
            "version": "4",
            "alerts": [{
                "status": "firing",
                "labels": { "alertname": "HighErrorRate", "severity": "critical", "service": "glasshouse-api" },
                "annotations": { "summary": "5xx <b>rise</b>", "description": "<i>6 %</i> of the requests",
                    "runbook_url": "http://grafana.example/public/runbooks/high-error-rate.html",
                    "dashboard_url": "https://example.org/d/overview?var-job=api&from=now-1h" },
                "startsAt": "2026-11-23T06:00:00.123Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://example.org/graph?g0.expr=a%3E1&g0.tab=1",
                "fingerprint": "f1",
            }, {
                "status": "firing", "labels": { "alertname": "GreetingsSlow" },
                "annotations": { "runbook_url": "https://example.org/greetings-slow.html",
                    "dashboard_url": "http://grafana.example/d/greeter" },
                "startsAt": "2026-11-23T06:00:00.123Z", "fingerprint": "f2",
            }],
        });
        let response = http.post(url("/webhook")).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 204);
        assert_eq!(http.post(url("/webhook")).body("{}").send().await.unwrap().status(), 400);
        assert_eq!(http.get(url("/health/ready")).send().await.unwrap().status(), 200);

        let listed: Value = http.get(url("/deliveries")).send().await.unwrap().json().await.unwrap();
        assert_eq!(listed[1]["alert"], "HighErrorRate");
        assert_eq!(listed[1]["status"], "firing");
        assert_eq!(listed[1]["description"], "<i>6 %</i> of the requests");
        assert_eq!(listed[1]["expression_url"], "https://example.org/graph?g0.expr=a%3E1&g0.tab=1");
        let page = http.get(url("/")).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("5xx &lt;b&gt;rise&lt;/b&gt;"), "{page}");
        assert!(page.contains("&lt;i&gt;6 %&lt;/i&gt; of the requests"), "{page}");
        for link in [
            "d/overview?var-job=api&amp;from=now-1h",
            "graph?g0.expr=a%3E1&amp;g0.tab=1",
            "greetings-slow.html",
        ] {
            assert!(page.contains(&format!("href=\"https://example.org/{link}\"")), "{page}");
        }
        // A runbook of this repository is a page of the receiver, and where there is no Grafana, no link leads to it.
        assert!(page.contains("href=\"runbooks/high-error-rate.html\""), "{page}");
        assert!(!page.contains("grafana.example"), "{page}");

        for runbook in glasshouse_runbooks::ALL {
            let response = http.get(url(&format!("/runbooks/{}", runbook.file_name()))).send().await.unwrap();
            assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
            assert!(response.text().await.unwrap().contains(&format!(">{}</h1>", runbook.title())));
        }
        assert_eq!(http.get(url("/runbooks/nope.html")).send().await.unwrap().status(), 404);

        receiver.stop().await;
        assert!(http.get(url("/")).send().await.is_err());
    }

    #[tokio::test]
    async fn an_alert_that_stays_away_is_reported_until_it_arrives_again() {
        let (address, timeout) = ("127.0.0.1:0".parse().unwrap(), Duration::from_millis(50));
        let mut receiver = Receiver::start(address, timeout, Runbooks::default()).await.unwrap();
        let url = format!("http://{}/heartbeat", receiver.address());
        let api = ReceiverApi::new(receiver.address());
        let http = reqwest::Client::new();
        let beat = json!({ "alerts": [{
            "status": "firing", "labels": { "alertname": "Watchdog" },
            "startsAt": "2026-11-23T06:00:00Z", "fingerprint": "1",
        }] });
        let start = time::OffsetDateTime::UNIX_EPOCH;
        assert!(!api.has_arrived("Watchdog", start).await.unwrap());
        assert_eq!(http.post(&url).json(&beat).send().await.unwrap().status(), 204);
        assert!(api.has_arrived("Watchdog", start).await.unwrap());
        let later = time::OffsetDateTime::now_utc() + Duration::from_secs(60);
        assert!(!api.has_arrived("Watchdog", later).await.unwrap());
        let timeout = Duration::from_secs(30);
        let is_missing = poll_until(timeout, async || {
            Ok(api.deliveries().await?.has_missing("Watchdog", start).then_some(()))
        });
        assert!(is_missing.await.unwrap().is_some());
        let page = http.get(format!("http://{}/", receiver.address())).send().await.unwrap();
        assert!(page.text().await.unwrap().contains("Watchdog no longer arrives"));

        receiver.stop().await;
        receiver.restart().unwrap();
        assert_eq!(http.post(&url).json(&beat).send().await.unwrap().status(), 204);
        let deliveries = api.deliveries().await.unwrap();
        assert!(deliveries.has_missing("Watchdog", start), "a restart keeps the deliveries");
        let arrived: Heartbeat = http.get(&url).send().await.unwrap().json().await.unwrap();
        assert!(arrived.last_received_at.is_some());
    }
}
