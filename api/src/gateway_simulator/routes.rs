//! The HTTP interface of the simulator: charges, and `/control`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::error::InternalError;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use glasshouse_infra::payment_gateway::wire::{Charge, ChargeRequest, IDEMPOTENCY_KEY};
use glasshouse_telemetry::service::events::payment_gateway::{
    GatewaySimulatorBehaviorChanged, GatewaySimulatorBehaviorReset,
};
use serde::Deserialize;
use serde_json::json;

use super::behavior::{Behavior, InEffect, Outcome};
use super::ledger::Ledger;
use crate::http::check_host;

/// The state of the simulator. Clones share it.
#[derive(Clone, Debug)]
pub struct Simulator {
    ledger: Arc<Mutex<Ledger>>,
    behavior: Arc<Mutex<InEffect>>,
}

/// A response, or the failure that the current behavior asks for.
type SimulatorResult = Result<HttpResponse, InternalError<&'static str>>;

const LEDGER_CAPACITY: usize = 1_000_000;
/// Longer than any client's timeout.
const HANG: Duration = Duration::from_secs(120);

impl Default for Simulator {
    fn default() -> Self {
        let ledger = Arc::new(Mutex::new(Ledger::new(LEDGER_CAPACITY)));
        Self { ledger, behavior: Arc::default() }
    }
}

impl Simulator {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn behavior(&self) -> MutexGuard<'_, InEffect> {
        self.behavior.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The behavior now.
    #[must_use]
    pub fn current_behavior(&self) -> Behavior {
        self.behavior().now()
    }

    /// Draws the outcome of a request and waits for its latency. An error has no further effect.
    async fn begin(&self) -> Result<Outcome, InternalError<&'static str>> {
        let outcome = self.current_behavior().draw();
        // A timer takes a millisecond at least.
        if !outcome.latency.is_zero() {
            tokio::time::sleep(outcome.latency).await;
        }
        if outcome.fails {
            let response =
                error(HttpResponse::InternalServerError(), "injected error of the payment-gateway simulator");
            return Err(InternalError::from_response("injected error", response));
        }
        Ok(outcome)
    }
}

impl Outcome {
    /// Responds with the charge, or hangs. The request has taken effect in both cases.
    async fn respond(self, charge: &Charge) -> HttpResponse {
        if self.times_out {
            tokio::time::sleep(HANG).await;
        }
        HttpResponse::Ok().json(charge)
    }
}

fn error(mut response: actix_web::HttpResponseBuilder, message: &str) -> HttpResponse {
    response.json(json!({ "error": message }))
}

async fn charge(
    request: HttpRequest,
    body: web::Json<ChargeRequest>,
    simulator: web::Data<Simulator>,
) -> SimulatorResult {
    let key = request.headers().get(IDEMPOTENCY_KEY).and_then(|value| value.to_str().ok());
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return Ok(error(HttpResponse::BadRequest(), "the header Idempotency-Key is missing"));
    };
    let outcome = simulator.begin().await?;
    let charge = simulator.ledger().charge(key, body.into_inner(), outcome.declines);
    Ok(outcome.respond(&charge).await)
}

async fn find(key: web::Path<String>, simulator: web::Data<Simulator>) -> SimulatorResult {
    simulator.begin().await?;
    let charge = simulator.ledger().find(&key);
    let unknown = || error(HttpResponse::NotFound(), "no charge with this key");
    Ok(charge.map_or_else(unknown, |charge| HttpResponse::Ok().json(charge)))
}

async fn void(key: web::Path<String>, simulator: web::Data<Simulator>) -> SimulatorResult {
    let outcome = simulator.begin().await?;
    let charge = simulator.ledger().void(&key);
    Ok(outcome.respond(&charge).await)
}

async fn refund(key: web::Path<String>, simulator: web::Data<Simulator>) -> SimulatorResult {
    let outcome = simulator.begin().await?;
    let charge = simulator.ledger().refund(&key);
    match charge {
        Some(charge) => Ok(outcome.respond(&charge).await),
        None => Ok(error(HttpResponse::Conflict(), "no successful charge with this key")),
    }
}

/// The newest charges, for people and tests.
async fn newest(simulator: web::Data<Simulator>) -> HttpResponse {
    let (total, charges) = simulator.ledger().newest(100);
    HttpResponse::Ok().json(json!({ "total": total, "newest": charges }))
}

/// The position of a page of the ledger.
#[derive(Debug, Deserialize)]
struct LedgerQuery {
    #[serde(default)]
    after: String,
    limit: usize,
}

/// All charges, for audits. No fault affects it.
async fn ledger(query: web::Query<LedgerQuery>, simulator: web::Data<Simulator>) -> HttpResponse {
    let page = simulator.ledger().page(&query.after, query.limit.min(1000));
    HttpResponse::Ok().json(page)
}

async fn show_behavior(simulator: web::Data<Simulator>) -> HttpResponse {
    HttpResponse::Ok().json(simulator.current_behavior())
}

async fn set_behavior(body: web::Json<Behavior>, simulator: web::Data<Simulator>) -> HttpResponse {
    let behavior = body.into_inner();
    if let Some(problem) = behavior.problem() {
        return error(HttpResponse::UnprocessableEntity(), &problem);
    }
    *simulator.behavior() = behavior.into();
    GatewaySimulatorBehaviorChanged { behavior: &format!("{behavior:?}") }.emit();
    HttpResponse::Ok().json(behavior)
}

async fn reset_behavior(simulator: web::Data<Simulator>) -> HttpResponse {
    *simulator.behavior() = InEffect::default();
    GatewaySimulatorBehaviorReset {}.emit();
    HttpResponse::NoContent().finish()
}

/// The routes that show and set the behavior, at this path.
pub fn control(path: &str) -> Resource {
    web::resource(path)
        .route(web::get().to(show_behavior))
        .route(web::put().to(set_behavior))
        .route(web::delete().to(reset_behavior))
}

/// The routes of the simulator.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/v1/charges", web::get().to(newest))
        .route("/v1/ledger", web::get().to(ledger))
        .route("/v1/charges", web::post().to(charge))
        .route("/v1/charges/{key}", web::get().to(find))
        .route("/v1/charges/{key}/void", web::post().to(void))
        .route("/v1/charges/{key}/refund", web::post().to(refund))
        .service(control("/control").wrap(from_fn(check_host)));
}
