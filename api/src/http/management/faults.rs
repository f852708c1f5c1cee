//! `/faults`: shows, replaces and removes the injected faults of this process. Without
//! `GLASSHOUSE_FAULTS_ENABLED=true` the route does not exist.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use glasshouse_infra::db::ConnectionHolder;
use glasshouse_infra::faults::{FaultPlan, Faults};
use glasshouse_telemetry::service::events::faults::{FaultsEnded, FaultsReplaced};
use serde_json::json;

use crate::http::json::Json;
use crate::http::problem::{Fields, Problem};
use crate::http::public::docs;

/// The injected faults of this process, and the parts that faults can affect.
#[derive(Clone, Debug)]
pub struct FaultPanel {
    /// The injected faults.
    pub faults: Faults,
    /// The connections to the database, if this process has any.
    pub connections: Option<ConnectionHolder>,
    /// Whether this process serves the API.
    pub has_api: bool,
    /// Whether this process delivers messages.
    pub has_worker: bool,
}

impl FaultPanel {
    /// Rejects faults that would have no effect in this process.
    fn check(&self, plan: &FaultPlan) -> Result<(), Problem> {
        let on_postgres = self.connections.as_ref().is_some_and(ConnectionHolder::is_postgres);
        let mut fields = Fields::default();
        for (fault, is_wanted, is_possible, needs) in [
            ("latency", plan.latency.is_some(), self.has_api, "the API"),
            ("errors", plan.errors.is_some(), self.has_api, "the API"),
            ("panics", plan.panics.is_some(), self.has_api, "the API"),
            ("cache_errors", plan.cache_errors.is_some(), self.has_api, "the API"),
            ("slow_queries", plan.slow_queries.is_some(), on_postgres, "Postgres"),
            ("held_connections", plan.held_connections.is_some(), self.connections.is_some(), "a database"),
            ("stalled_outbox", plan.stalled_outbox.is_some(), self.has_worker, "the worker"),
            ("rejected_notifications", plan.rejected_notifications.is_some(), self.has_worker, "the worker"),
        ] {
            if is_wanted && !is_possible {
                fields.refuse(fault, format!("needs {needs}, which this process does not have"));
            }
        }
        let known = docs::openapi().paths.paths;
        for (fault, endpoint) in [
            ("latency", plan.latency.as_ref().and_then(|fault| fault.endpoint.as_ref())),
            ("errors", plan.errors.as_ref().and_then(|fault| fault.endpoint.as_ref())),
            ("panics", plan.panics.as_ref().and_then(|fault| fault.endpoint.as_ref())),
        ] {
            if let Some(endpoint) = endpoint.filter(|endpoint| !known.contains_key(*endpoint)) {
                let problem = format!("{endpoint:?} is not a route: use a path of /openapi.json");
                fields.refuse(format!("{fault}.endpoint"), problem);
            }
        }
        if fields.are_valid() { Ok(()) } else { Err(fields.problem()) }
    }
}

async fn show(panel: web::Data<FaultPanel>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "faults": panel.faults.active() }))
}

async fn replace(panel: web::Data<FaultPanel>, Json(plan): Json<FaultPlan>) -> Result<HttpResponse, Problem> {
    panel.check(&plan)?;
    panel.faults.inject(plan, panel.connections.as_ref());
    let body = json!({ "faults": panel.faults.active() });
    FaultsReplaced { faults: &body["faults"].to_string() }.emit();
    Ok(HttpResponse::Ok().json(body))
}

async fn end(panel: web::Data<FaultPanel>) -> HttpResponse {
    panel.faults.inject(FaultPlan::default(), None);
    FaultsEnded {}.emit();
    HttpResponse::build(StatusCode::NO_CONTENT).finish()
}

/// The routes of fault injection.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/faults", web::get().to(show))
        .route("/faults", web::put().to(replace))
        .route("/faults", web::delete().to(end));
}
