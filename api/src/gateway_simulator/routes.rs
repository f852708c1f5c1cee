use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::error::InternalError;
use actix_web::{HttpRequest, HttpResponse, web};
use glasshouse_infra::payment_gateway::wire::{Charge, ChargeRequest, IDEMPOTENCY_KEY};
use glasshouse_telemetry::events::payment_gateway::{GatewayBehaviourChanged, GatewayBehaviourReset};
use serde_json::json;

use super::behaviour::{Behaviour, Fate};
use super::ledger::Ledger;

/// The simulator's memory. Clones share it.
#[derive(Clone, Debug)]
pub struct Simulator {
    ledger: Arc<Mutex<Ledger>>,
    behaviour: Arc<Mutex<Behaviour>>,
}

/// A response, or the failure that the current behavior asks for.
type SimulatorResult = Result<HttpResponse, InternalError<&'static str>>;

const LEDGER_CAPACITY: usize = 1_000_000;
/// Longer than any caller waits.
const NEVER: Duration = Duration::from_secs(120);

impl Default for Simulator {
    fn default() -> Self {
        let ledger = Arc::new(Mutex::new(Ledger::new(LEDGER_CAPACITY)));
        Self { ledger, behaviour: Arc::default() }
    }
}

impl Simulator {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as the current behaviour wants; then the request fails, or goes on to its fate.
    async fn begin(&self) -> Result<Fate, InternalError<&'static str>> {
        let fate = self.behaviour().fate();
        tokio::time::sleep(fate.latency).await;
        if fate.fails {
            let response =
                refuse(HttpResponse::InternalServerError(), "the gateway failed, as it was told to");
            return Err(InternalError::from_response("told to fail", response));
        }
        Ok(fate)
    }
}

impl Fate {
    /// Answers, or does not: whatever was done is done either way.
    async fn answer(self, charge: &Charge) -> HttpResponse {
        if self.is_never_answered {
            tokio::time::sleep(NEVER).await;
        }
        HttpResponse::Ok().json(charge)
    }
}

fn refuse(mut response: actix_web::HttpResponseBuilder, error: &str) -> HttpResponse {
    response.json(json!({ "error": error }))
}

async fn charge(
    request: HttpRequest,
    body: web::Json<ChargeRequest>,
    simulator: web::Data<Simulator>,
) -> SimulatorResult {
    let key = request.headers().get(IDEMPOTENCY_KEY).and_then(|value| value.to_str().ok());
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return Ok(refuse(HttpResponse::BadRequest(), "the header Idempotency-Key is missing"));
    };
    let fate = simulator.begin().await?;
    let charge = simulator.ledger().charge(key, body.into_inner(), fate.declines);
    Ok(fate.answer(&charge).await)
}

async fn find(key: web::Path<String>, simulator: web::Data<Simulator>) -> SimulatorResult {
    simulator.begin().await?;
    let charge = simulator.ledger().find(&key);
    let unknown = || refuse(HttpResponse::NotFound(), "this key was never seen");
    Ok(charge.map_or_else(unknown, |charge| HttpResponse::Ok().json(charge)))
}

async fn void(key: web::Path<String>, simulator: web::Data<Simulator>) -> SimulatorResult {
    let fate = simulator.begin().await?;
    let charge = simulator.ledger().void(&key);
    Ok(fate.answer(&charge).await)
}

async fn refund(key: web::Path<String>, simulator: web::Data<Simulator>) -> SimulatorResult {
    let fate = simulator.begin().await?;
    let charge = simulator.ledger().refund(&key);
    match charge {
        Some(charge) => Ok(fate.answer(&charge).await),
        None => Ok(refuse(HttpResponse::Conflict(), "there is nothing to refund")),
    }
}

/// The newest charges, for people and tests who want to see what was really charged.
async fn newest(simulator: web::Data<Simulator>) -> HttpResponse {
    let (total, charges) = simulator.ledger().newest(100);
    HttpResponse::Ok().json(json!({ "total": total, "newest": charges }))
}

async fn show_behaviour(simulator: web::Data<Simulator>) -> HttpResponse {
    let behaviour = *simulator.behaviour();
    HttpResponse::Ok().json(behaviour)
}

async fn set_behaviour(body: web::Json<Behaviour>, simulator: web::Data<Simulator>) -> HttpResponse {
    let behaviour = body.into_inner();
    if let Some(problem) = behaviour.problem() {
        return refuse(HttpResponse::UnprocessableEntity(), &problem);
    }
    *simulator.behaviour() = behaviour;
    GatewayBehaviourChanged { behaviour: &format!("{behaviour:?}") }.emit();
    HttpResponse::Ok().json(behaviour)
}

async fn reset_behaviour(simulator: web::Data<Simulator>) -> HttpResponse {
    *simulator.behaviour() = Behaviour::default();
    GatewayBehaviourReset {}.emit();
    HttpResponse::NoContent().finish()
}

/// Adds the gateway's routes to a server.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/v1/charges", web::get().to(newest))
        .route("/v1/charges", web::post().to(charge))
        .route("/v1/charges/{key}", web::get().to(find))
        .route("/v1/charges/{key}/void", web::post().to(void))
        .route("/v1/charges/{key}/refund", web::post().to(refund))
        .route("/control", web::get().to(show_behaviour))
        .route("/control", web::put().to(set_behaviour))
        .route("/control", web::delete().to(reset_behaviour));
}
