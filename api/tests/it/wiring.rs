//! A middleware whose parts were not registered: requests fail with 500 and a log record, and never pass unchecked.

use std::io;
use std::sync::{Arc, Mutex};

use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, test, web};
use glasshouse_api::http::check_host;
use glasshouse_api::http::problem::ProblemDocuments;
use glasshouse_api::http::public::middleware::{
    RequestSpan, authenticate, inject_faults, limit_rate, shed_early, shed_load, time_out,
};
use glasshouse_telemetry::http::{Observe, TracingLogger};
use serde_json::Value;

/// The log records of the current thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn a_middleware_without_its_parts_fails_the_request_and_logs() {
    let passes = || web::to(HttpResponse::Ok);
    let app = App::new()
        .service(web::resource("/authenticate").wrap(from_fn(authenticate)).route(passes()))
        .service(web::resource("/limit_rate").wrap(from_fn(limit_rate)).route(passes()))
        .service(web::resource("/shed_early").wrap(from_fn(shed_early)).route(passes()))
        .service(web::resource("/shed_load").wrap(from_fn(shed_load)).route(passes()))
        .service(web::resource("/time_out").wrap(from_fn(time_out)).route(passes()))
        .service(web::resource("/inject_faults").wrap(from_fn(inject_faults)).route(passes()))
        .service(web::resource("/check_host").wrap(from_fn(check_host)).route(passes()))
        .service(web::resource("/none").route(passes()))
        .wrap(Observe::without_metrics().errors(ProblemDocuments))
        .wrap(TracingLogger::<RequestSpan>::new());
    let app = test::init_service(app).await;
    let request = test::TestRequest::get().uri("/none").to_request();
    assert_eq!(test::call_service(&app, request).await.status(), 200);
    for path in [
        "/authenticate",
        "/limit_rate",
        "/shed_early",
        "/shed_load",
        "/time_out",
        "/inject_faults",
        "/check_host",
    ] {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let request = test::TestRequest::get().uri(path).to_request();
        let error = test::try_call_service(&app, request).await.err().unwrap();
        let response = error.error_response();
        assert_eq!(response.status(), 500, "{path}");
        assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json", "{path}");
        let body = actix_web::body::to_bytes(response.into_body()).await.ok().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], "internal_server_error", "{path}: {body}");
        assert!(log.text().contains("unhandled_exception"), "{path}: {}", log.text());
    }
}
