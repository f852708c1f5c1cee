//! The console: its page at `/`, and its data below `/console`. Without `GLASSHOUSE_CONSOLE=true` the routes do not exist.

mod files;
mod stream;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use glasshouse_runbooks::Runbook;
use glasshouse_telemetry::recent::TraceId;
use glasshouse_telemetry::service;
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::FaultPanel;
use crate::console::Console;
use crate::console::what_if::{Affected, experiments};
use crate::demo::{CallError, Demo, Operation, Trial};
use crate::gateway_simulator::{self, Simulator};
use crate::http::json::Json;
use crate::http::problem::Problem;
use crate::http::unknown_route::unknown_route;

pub use files::Files;

/// What a browser may load into the page: its own files and data, and pictures that it has made.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The routes of the console with their methods.
pub(super) const ROUTES: [(&str, &[&str]); 12] = [
    ("/", &["GET"]),
    ("/console/events", &["GET"]),
    ("/console/process", &["GET"]),
    ("/console/traffic", &["GET"]),
    ("/console/traces/{trace_id}", &["GET"]),
    ("/console/alerts", &["GET"]),
    ("/console/runbooks/{name}", &["GET"]),
    ("/console/gateway", &["GET", "PUT", "DELETE"]),
    ("/console/demo/trials", &["POST"]),
    ("/console/demo/traffic", &["PUT"]),
    ("/console/demo/repetitions", &["POST"]),
    ("/console/{file}", &["GET"]),
];

/// What the console is served with, beside the parts of the management interface.
#[derive(Clone, Debug)]
pub struct ConsoleParts {
    /// Its data.
    pub console: Console,
    /// Its files.
    pub files: Files,
    /// The payment-gateway simulator, if this process has one.
    pub simulator: Option<Simulator>,
    /// What faults can affect.
    pub affected: Affected,
    /// The addresses of this process, for links.
    pub links: Value,
}

async fn page(files: web::Data<Files>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut page = files.file("index.html").ok_or_else(no_such_file)?.respond(&request);
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    Ok(page)
}

async fn file(
    files: web::Data<Files>,
    name: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Ok(files.file(&name).ok_or_else(no_such_file)?.respond(&request))
}

fn no_such_file() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_route", "no such file: see /")
}

/// What does not change while the process runs: its addresses, the faults that it offers, the demo's tenants, and the metrics that
/// each event moves.
async fn process(
    parts: web::Data<ConsoleParts>,
    panel: web::Data<FaultPanel>,
) -> Result<HttpResponse, Problem> {
    let contract = service::contract().map_err(Problem::internal)?;
    let moves: BTreeMap<_, _> =
        contract.events.into_iter().map(|event| (event.name, event.metrics)).collect();
    let offered = panel.faults.are_enabled().then(|| experiments(parts.affected));
    Ok(HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "links": parts.links,
        "experiments": offered,
        "has_demo": parts.console.demo().is_some(),
        "tenants": parts.console.demo().map(Demo::tenants),
        "moves": moves,
        "prometheus": parts.console.alerts().map(|alerts| alerts.prometheus().as_str()),
    })))
}

#[derive(Deserialize)]
struct TrafficQuery {
    #[serde(default = "default_window")]
    seconds: u64,
}

const fn default_window() -> u64 {
    60
}

async fn traffic(
    parts: web::Data<ConsoleParts>,
    query: web::Query<TrafficQuery>,
) -> Result<HttpResponse, Problem> {
    if !(1..=300).contains(&query.seconds) {
        return Err(Problem::bad_request("invalid_query", "seconds must be from 1 to 300"));
    }
    let detail = "there are no two samples yet: retry in a second";
    let window = parts.console.traffic().window(query.seconds);
    Ok(HttpResponse::Ok().json(window.ok_or_else(|| Problem::unavailable("no_samples", detail))?))
}

async fn trace(parts: web::Data<ConsoleParts>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let is_id = id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    let id = TraceId::from_hex(&id)
        .ok()
        .filter(|_| is_id)
        .ok_or_else(|| Problem::bad_request("invalid_trace_id", "a trace id has 32 hexadecimal digits"))?;
    let detail = "this trace is not kept: it may be older than the last 1000, or of another process";
    let trace = parts.console.recent().trace(id);
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "unknown_trace", detail);
    Ok(HttpResponse::Ok().json(trace.ok_or_else(unknown)?))
}

/// The alerts of Prometheus. Without one, and without its response, the page says why.
async fn alerts(parts: web::Data<ConsoleParts>) -> HttpResponse {
    let Some(alerts) = parts.console.alerts() else {
        return HttpResponse::Ok().json(json!({ "prometheus": null, "alerts": [] }));
    };
    let prometheus = alerts.prometheus().as_str();
    HttpResponse::Ok().json(match alerts.all().await {
        Ok(alerts) => json!({ "prometheus": prometheus, "alerts": alerts }),
        Err(error) => json!({ "prometheus": prometheus, "alerts": [], "error": error }),
    })
}

/// A runbook as a page, such as `high-error-rate.html`; with the ending `.md`, its text.
async fn show_runbook(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, "unknown_runbook", "no such runbook: README.html lists all");
    let runbook = Runbook::named(&name).ok_or_else(unknown)?;
    Ok(if name.ends_with(".md") {
        HttpResponse::Ok().content_type("text/markdown; charset=utf-8").body(runbook.markdown())
    } else {
        HttpResponse::Ok().content_type(ContentType::html()).body(runbook.html())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrialBody {
    trial: Trial,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrafficBody {
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RepetitionBody {
    operation: Operation,
    seconds: u8,
}

async fn attempt(
    parts: web::Data<ConsoleParts>,
    Json(body): Json<TrialBody>,
) -> Result<HttpResponse, Problem> {
    let exchanges = demo(&parts)?.attempt(body.trial).await.map_err(|error| match error {
        CallError::Unexpected(detail) => Problem::conflict("demo_changed", detail),
        CallError::Failed(_) => Problem::unavailable("no_response", "the API of the demo does not respond"),
    })?;
    Ok(HttpResponse::Ok().json(json!({ "exchanges": exchanges })))
}

async fn set_traffic(
    parts: web::Data<ConsoleParts>,
    Json(body): Json<TrafficBody>,
) -> Result<HttpResponse, Problem> {
    demo(&parts)?.set_traffic(body.on);
    Ok(HttpResponse::Ok().json(json!({ "on": body.on })))
}

async fn repeat(
    parts: web::Data<ConsoleParts>,
    Json(body): Json<RepetitionBody>,
) -> Result<HttpResponse, Problem> {
    if !(1..=30).contains(&body.seconds) {
        return Err(Problem::bad_request("invalid_seconds", "seconds must be from 1 to 30"));
    }
    demo(&parts)?.repeat(body.operation, body.seconds);
    Ok(HttpResponse::Accepted().finish())
}

fn demo(parts: &ConsoleParts) -> Result<&Demo, Problem> {
    let no_demo = || Problem::new(StatusCode::NOT_FOUND, "no_demo", "this process is no demo");
    parts.console.demo().ok_or_else(no_demo)
}

/// The routes of the console.
pub fn routes(parts: &ConsoleParts, config: &mut web::ServiceConfig) {
    if let Some(simulator) = &parts.simulator {
        config
            .app_data(web::Data::new(simulator.clone()))
            .service(gateway_simulator::control("/console/gateway").default_service(web::to(unknown_route)));
    }
    config
        .app_data(web::Data::new(parts.clone()))
        .app_data(web::Data::new(parts.files.clone()))
        .route("/", web::get().to(page))
        .route("/console/events", web::get().to(stream::events))
        .route("/console/process", web::get().to(process))
        .route("/console/traffic", web::get().to(traffic))
        .route("/console/traces/{trace_id}", web::get().to(trace))
        .route("/console/alerts", web::get().to(alerts))
        .route("/console/runbooks/{name}", web::get().to(show_runbook))
        .route("/console/demo/trials", web::post().to(attempt))
        .route("/console/demo/traffic", web::put().to(set_traffic))
        .route("/console/demo/repetitions", web::post().to(repeat))
        .route("/console/{file}", web::get().to(file));
}
