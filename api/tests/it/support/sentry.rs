//! A Sentry to test against.

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
    behaviour: Mutex<Behaviour>,
}

/// How it responds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Behaviour {
    #[default]
    Accepts,
    /// With this status.
    Answers(u16),
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

    /// The address of the project.
    pub(crate) fn dsn(&self) -> String {
        format!("http://public-key@{}/42", self.address)
    }

    pub(crate) fn behaves(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }

    /// Everything that arrived, as it was sent.
    pub(crate) fn received(&self) -> Vec<String> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The items of this type, such as `event`, that arrived so far.
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
        // Told now, done later: nobody waits for a server that may be hanging.
        drop(self.server.stop(false));
    }
}

async fn receive(body: String, shared: web::Data<Shared>) -> HttpResponse {
    shared.received.lock().unwrap().push(body);
    let behaviour = *shared.behaviour.lock().unwrap();
    match behaviour {
        Behaviour::Accepts => HttpResponse::Ok().json(serde_json::json!({})),
        Behaviour::Answers(status) => HttpResponse::build(status.try_into().unwrap()).finish(),
        Behaviour::Limits(limits) => {
            HttpResponse::Ok().insert_header(("X-Sentry-Rate-Limits", limits)).json(serde_json::json!({}))
        }
        Behaviour::Hangs => std::future::pending().await,
    }
}

/// An envelope is a line with its own head, and for each item a line with the item's head and one with the item.
fn items(envelope: &str, kind: &str) -> Vec<Value> {
    let lines: Vec<Value> = envelope.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let items = lines[1..].chunks_exact(2).filter(|item| item[0]["type"] == kind);
    items.map(|item| item[1].clone()).collect()
}
