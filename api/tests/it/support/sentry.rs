//! A fake Sentry.

use std::net::TcpListener;
use std::sync::Mutex;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::Value;

use super::eventually;

/// A server that receives what is sent to Sentry, over real HTTP. Dropping it stops it.
pub(crate) struct FakeSentry {
    address: String,
    shared: web::Data<Shared>,
    server: ServerHandle,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<String>>,
    behavior: Mutex<Behavior>,
}

/// How it responds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Behavior {
    #[default]
    Accepts,
    /// With this status.
    Responds(u16),
    /// With success, and these limits per category in `X-Sentry-Rate-Limits`.
    Limits(&'static str),
    /// Never.
    Hangs,
}

impl FakeSentry {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = web::Data::new(Shared::default());
        let data = shared.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(1 << 24))
                .route("/api/42/envelope/", web::post().to(receive))
        });
        let server = server.workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap().run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, shared, server: handle }
    }

    /// The DSN of the project.
    pub(crate) fn dsn(&self) -> String {
        format!("http://public-key@{}/42", self.address)
    }

    pub(crate) fn behaves(&self, behavior: Behavior) {
        *self.shared.behavior.lock().unwrap() = behavior;
    }

    /// All received envelopes, as text.
    pub(crate) fn received(&self) -> Vec<String> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The received items of this type, such as `event`.
    pub(crate) fn items(&self, kind: &str) -> Vec<Value> {
        self.received().iter().flat_map(|envelope| items(envelope, kind)).collect()
    }

    /// Waits for an event about this request.
    pub(crate) async fn event_of(&self, request_id: &str) -> Value {
        eventually(&format!("{request_id} is captured"), async || {
            self.items("event").into_iter().find(|event| event["tags"]["request_id"] == request_id)
        })
        .await
    }
}

impl Drop for FakeSentry {
    fn drop(&mut self) {
        // Does not wait for the end: the server may be hanging.
        drop(self.server.stop(false));
    }
}

async fn receive(body: String, shared: web::Data<Shared>) -> HttpResponse {
    shared.received.lock().unwrap().push(body);
    let behavior = *shared.behavior.lock().unwrap();
    match behavior {
        Behavior::Accepts => HttpResponse::Ok().json(serde_json::json!({})),
        Behavior::Responds(status) => HttpResponse::build(status.try_into().unwrap()).finish(),
        Behavior::Limits(limits) => {
            HttpResponse::Ok().insert_header(("X-Sentry-Rate-Limits", limits)).json(serde_json::json!({}))
        }
        Behavior::Hangs => std::future::pending().await,
    }
}

/// The items of this type in an envelope: a line with the header of the envelope, and for each item a line with its
/// header and a line with its payload.
fn items(envelope: &str, kind: &str) -> Vec<Value> {
    let lines: Vec<Value> = envelope.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let items = lines[1..].chunks_exact(2).filter(|item| item[0]["type"] == kind);
    items.map(|item| item[1].clone()).collect()
}
